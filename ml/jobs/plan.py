"""The plan job: from the latest predictions to proposed services."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine

from app.database import session_scope
from app.planning.actions import make_plan
from app.settings import Settings


def plan(engine: Engine, settings: Settings) -> str:
    """Make a plan now and say in one sentence what it proposes."""
    with session_scope(engine) as session:
        return make_plan(session, settings, datetime.now(UTC)).summary
