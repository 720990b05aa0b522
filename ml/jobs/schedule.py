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
# begun, and where what was learnt after an upgrade did not take the place of a model that did not survive it.
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
    last = session.scalar(select(Model).order_by(Model.created_at.desc()).limit(1))
    if last is None:
        oldest = session.scalar(select(func.min(Rollup.bucket_start)))
        ripe = oldest is not None and now - oldest >= FEWEST_BUCKETS * settings.bucket
        return "there is data and no model yet" if ripe else None
    if now - last.created_at >= settings.train_every:
        return f"the newest model is of {last.created_at:%Y-%m-%d}"
    serving = champion(session)
    if serving is None:
        return None
    unreadable = _unreadable(serving)
    just_learnt = now - last.created_at < min(SOON, settings.train_every)
    if just_learnt and not (unreadable and _unreadable(last)):
        return None
    if unreadable:
        return unreadable
    if serving.kind == ConditionOnly.kind:
        failures = session.scalar(select(func.count(Event.id)).where(Event.kind == "failure")) or 0
        return f"{failures} failures are recorded and no risk is served" if failures >= FEWEST_FAILURES else None
    return None


def _unreadable(model: Model) -> str | None:
    """Why this version cannot ask it, if it cannot."""
    try:
        check_versions(model.manifest, f"Model {model.id}")
    except Outdated as outdated:
        return outdated.detail
    return None
