"""When the worker trains by itself: at first data, at the first failures to learn from, and then at intervals."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.fleet.tables import Event
from app.ingest.tables import Rollup
from app.jobs.trainings import failed_trainings, training_under_way
from app.risk.store import champion
from app.risk.tables import Model
from app.settings import Settings
from ml.learning import FEWEST_FAILURES
from ml.manifest import Outdated, check_versions
from ml.models.anomaly import FEWEST_BUCKETS
from ml.models.condition_only import ConditionOnly

# So often at most, where waiting for the usual interval would leave a plant without a risk: while it has just
# begun, and after an upgrade that its model did not survive.
SOON = timedelta(days=1)


def training_due(session: Session, settings: Settings, now: datetime) -> str | None:
    """Why a training is due, in words for the log; None where it is not, or where the plant trains by hand.

    After one that failed, ever longer nothing is: app.jobs.back_off.
    """
    if settings.train_every is None:
        return None
    failed = failed_trainings(session)
    if training_under_way(session) or (failed is not None and now < failed.next_at):
        return None
    newest = session.scalar(select(func.max(Model.created_at)))
    if newest is None:
        oldest = session.scalar(select(func.min(Rollup.bucket_start)))
        ripe = oldest is not None and now - oldest >= FEWEST_BUCKETS * settings.bucket
        return "there is data and no model yet" if ripe else None
    if now - newest >= settings.train_every:
        return f"the newest model is of {newest:%Y-%m-%d}"
    serving = champion(session)
    if serving is None or now - newest < min(SOON, settings.train_every):
        return None
    try:
        check_versions(serving.manifest, f"model {serving.id}, which serves,")
    except Outdated as outdated:
        return outdated.detail
    if serving.kind == ConditionOnly.kind:
        failures = session.scalar(select(func.count(Event.id)).where(Event.kind == "failure")) or 0
        return f"{failures} failures are recorded and no risk is served" if failures >= FEWEST_FAILURES else None
    return None
