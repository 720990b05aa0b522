"""What the worker does every few seconds: roll up what came in; where something changed, score anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from app.database import session_scope
from app.errors import WearwatchError
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
    memory = memory or Memory.empty(settings)
    now = datetime.now(UTC)
    as_of = floor_to_bucket(now, settings)
    roll_up_all(engine, settings, until=as_of)
    with session_scope(engine) as session:
        due, outdated = scoring_due(session, as_of), plan_outdated(session)
    try:
        scored = due and _scored(engine, settings, as_of, memory)
    finally:
        # Charts and counts go on, whatever is wrong with the model that serves.
        roll_up_open(engine, settings, now, as_of)
        fold_all_arrivals(engine, settings, now)
    return ("plan", "outcomes") if scored else ("plan",) if outdated else ()


def _scored(engine: Engine, settings: Settings, as_of: datetime, memory: Memory) -> bool:
    """Whether the model could be asked; asked for again every few seconds, it says only once why not."""
    try:
        machines = score(engine, settings, as_of, memory=memory)
    except WearwatchError as error:
        if error.detail != memory.refused:
            log.warning("not scored", why=error.detail)
        memory.refused = error.detail
        return False
    memory.refused = None
    log.info("scored", machines=machines, as_of=as_of.isoformat())
    return True
