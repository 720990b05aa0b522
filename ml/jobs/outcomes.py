"""The outcomes job: what became of warnings, into the ledger, some machines a transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, select

from app.database import session_scope
from app.fleet.tables import Machine
from app.outcomes.actions import keep
from app.settings import Settings

MACHINES_AT_ONCE = 200


def keep_outcomes(engine: Engine, settings: Settings, now: datetime | None = None) -> int:
    """How many revisions were added."""
    now = now or datetime.now(UTC)
    with session_scope(engine) as session:
        ids = session.scalars(select(Machine.id).order_by(Machine.id)).all()
    added = 0
    for start in range(0, len(ids), MACHINES_AT_ONCE):
        with session_scope(engine) as session:
            added += keep(session, settings, ids[start : start + MACHINES_AT_ONCE], now)
    return added
