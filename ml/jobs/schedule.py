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
from ml.artefacts import artefact_key
from ml.learning import FEWEST_FAILURES
from ml.manifest import Outdated, Untrusted, check_signature, check_versions
from ml.models.anomaly import FEWEST_BUCKETS
from ml.models.condition_only import ConditionOnly
from ml.models.ensemble import Ensemble

# So often at most, where waiting for the usual interval would leave a plant without a risk: while it has just
# begun, and where what was learnt after an upgrade did not take the place of a model that did not survive it.
SOON = timedelta(days=1)


def training_due(session: Session, settings: Settings, now: datetime, at_work_since: datetime) -> str | None:
    """Why a training is due, in words for the log; None where it is not, or where the plant trains by hand.

    After one that failed, ever longer nothing is: app.jobs.back_off. `at_work_since`: when this worker began.
    """
    if settings.train_every is None:
        return None
    failed = failed_trainings(session)
    if training_under_way(session) or (failed is not None and now < failed.next_at):
        return None
    # Of a run's models the one that needs most of what may have changed.
    by_age = Model.created_at.desc(), (Model.kind == Ensemble.kind).desc(), Model.id.desc()
    last = session.scalar(select(Model).order_by(*by_age).limit(1))
    if last is None:
        oldest = session.scalar(select(func.min(Rollup.bucket_start)))
        ripe = oldest is not None and now - oldest >= FEWEST_BUCKETS * settings.bucket
        return "there is data and no model yet" if ripe else None
    if now - last.created_at >= settings.train_every:
        return f"the newest model is of {last.created_at:%Y-%m-%d}"
    serving = champion(session)
    if serving is None:
        return None
    unreadable = _unreadable(serving, settings)
    just_learnt = now - last.created_at < min(SOON, settings.train_every)
    # One that is as little use and was learnt while this worker ran is of a worker of another version beside it.
    upgraded = unreadable and _unreadable(last, settings) and last.created_at < at_work_since
    if just_learnt and not upgraded:
        return None
    if unreadable:
        return unreadable
    if serving.kind == ConditionOnly.kind:
        return _failures_told(session, last)
    return None


def _failures_told(session: Session, last: Model) -> str | None:
    """Of the same failures nothing more is learnt the day after."""
    told_since = func.count().filter(Event.recorded_at > last.trained_until)
    asked = select(func.count(), told_since).select_from(Event).where(Event.kind == "failure")
    failures, new = session.execute(asked).one()
    enough = failures >= FEWEST_FAILURES and new
    return f"{failures} failures are recorded and no risk is served" if enough else None


def _unreadable(model: Model, settings: Settings) -> str | None:
    """Why it cannot be asked by this version, with these settings and this plant's key, if it cannot."""
    if model.bucket_seconds != settings.bucket_seconds:
        return f"Model {model.id} was trained on buckets of {model.bucket_seconds} s."
    name = f"Model {model.id}"
    try:
        check_signature(model.manifest, artefact_key(settings.data_dir), name)
        check_versions(model.manifest, name)
    except (Untrusted, Outdated) as refused:
        return refused.detail
    return None
