"""What the worker does every few seconds: roll up what came in; where something changed, score anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from app.database import session_scope
from app.ingest.arrival_totals import fold_all_arrivals
from app.ingest.rollup import roll_up_all, roll_up_open
from app.planning.store import plan_outdated
from app.settings import Settings
from ml.jobs.due import scoring_due
from ml.jobs.memory import Memory
from ml.jobs.moment import floor_to_bucket
from ml.jobs.score import score

log = structlog.get_logger()


def refresh(engine: Engine, settings: Settings, memory: Memory | None = None) -> Sequence[str]:
    """Bring roll-ups and risk up to date; risk needs finished buckets only, so the open ones come last.

    The jobs that are due now: what was scored is planned with and watched, what was changed is planned with.
    """
    now = datetime.now(UTC)
    as_of = floor_to_bucket(now, settings)
    roll_up_all(engine, settings, until=as_of)
    with session_scope(engine) as session:
        due, outdated = scoring_due(session, as_of), plan_outdated(session)
    try:
        if due:
            machines = score(engine, settings, as_of, memory=memory)
            log.info("scored", machines=machines, as_of=as_of.isoformat())
    finally:
        # Charts and counts go on, whatever is wrong with the model that serves.
        roll_up_open(engine, settings, now, as_of)
        fold_all_arrivals(engine, settings, now)
    return ("plan", "outcomes") if due else ("plan",) if outdated else ()
