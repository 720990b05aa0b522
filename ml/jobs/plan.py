"""The plan job: from the latest predictions to the cheapest services that crews, windows and parts allow."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Engine

from app.database import session_scope
from app.errors import WearwatchError
from app.orders.store import agreed_work
from app.planning.actions import MadePlan, fleet_to_plan, keep, keep_fault
from app.settings import Settings
from ml.planning.apart import Scheduling, schedule_apart


def plan(
    engine: Engine, settings: Settings, now: datetime | None = None, scheduling: Scheduling = schedule_apart
) -> MadePlan:
    """The search runs between two transactions: nothing in the database waits for it.

    Why there is no plan is kept for people to see, and raised.
    """
    with session_scope(engine) as session:
        fleet = fleet_to_plan(session, settings, now or datetime.now(UTC), agreed_work(session))
    asked = fleet.asked()
    try:
        schedule = scheduling(asked.problem, settings.plan_seconds)
    except WearwatchError as fault:
        with session_scope(engine) as session:
            keep_fault(session, fleet, fault.detail, partial(agreed_work, session))
        raise
    with session_scope(engine) as session:
        return keep(session, fleet, asked, schedule, partial(agreed_work, session))
