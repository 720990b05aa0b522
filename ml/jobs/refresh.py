"""What the worker does every few seconds: roll up what came in; where something changed, score and plan anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine, exists, func, select
from sqlalchemy.orm import Session

from app.database import session_scope
from app.fleet.tables import Event
from app.ingest.rollup import roll_up_all
from app.ingest.tables import TouchedBucket
from app.risk.tables import Model, Prediction
from app.settings import Settings
from ml.jobs.moment import floor_to_bucket
from ml.jobs.plan import plan
from ml.jobs.score import score

log = structlog.get_logger()


def refresh(engine: Engine, settings: Settings) -> None:
    """Bring roll-ups, risk and plan up to date."""
    as_of = floor_to_bucket(datetime.now(UTC), settings)
    with session_scope(engine) as session:
        due = scoring_due(session, settings, as_of)
    roll_up_all(engine, settings)
    if due:
        machines = score(engine, settings, as_of)
        log.info("scored", machines=machines, as_of=as_of.isoformat(), plan=plan(engine, settings))


def scoring_due(session: Session, settings: Settings, as_of: datetime) -> bool:
    """Whether a served prediction could differ now: time went on, a finished bucket or the events changed."""
    champion = session.scalar(select(Model).where(Model.status == "champion"))
    if champion is None:
        return False
    newest = (
        select(func.max(Prediction.as_of), func.max(Prediction.scored_at))
        .where(Prediction.model_id == champion.id)
        .where(Prediction.as_of >= as_of - timedelta(days=1))
    )
    scored_as_of, scored_at = session.execute(newest).one()
    if scored_as_of is None or scored_as_of < as_of:
        return True
    late = select(exists().where(TouchedBucket.bucket_start < as_of))
    events = select(exists().where(Event.recorded_at > scored_at))
    return bool(session.scalar(late) or session.scalar(events))
