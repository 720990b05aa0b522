"""Windows stored under names that a plan gives to other things stop no plan once they have names of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from factories import at
from migrating import moved
from sqlalchemy import select, text

from app.database import session_scope
from app.errors import BadInput
from app.fleet.tables import Machine
from app.orders.tables import WorkOrder
from app.planning.resource_rule import fault_of_resources
from app.planning.resource_store import resources
from app.planning.resource_tables import ProductionWindow
from app.planning.tables import Plan
from ml.jobs.plan import plan
from ml.planning.scheduler import schedule

NOW = at("2026-11-24 08:30")
DAY = timedelta(days=1)
LONGEST = "work order " + "9" * 89


def store_windows(engine, *names):
    with session_scope(engine) as session:
        times = {"starts_at": NOW + DAY, "ends_at": NOW + 2 * DAY}
        session.add_all(ProductionWindow(key=name, lines=[], loss_share=0.0, **times) for name in names)


@pytest.fixture
def order(engine):
    """Scheduled, with the name that its hours have in a plan."""
    with session_scope(engine) as session:
        machine = Machine(key="press-07")
        session.add(machine)
        session.flush()
        times = {"scheduled_start": NOW + DAY, "scheduled_end": NOW + DAY + timedelta(hours=2)}
        kept = WorkOrder(machine_id=machine.id, state="scheduled", version=1, crew="A", **times)
        session.add(kept)
        session.flush()
        return f"work order {kept.id}"


def test_a_window_with_the_name_of_an_order_stops_no_plan_any_more(engine, settings, order):
    moved(engine, command.downgrade, "20261128_12")
    store_windows(engine, order)
    for _ in range(2):
        with pytest.raises(BadInput, match=f"There are two of the window {order}"):
            plan(engine, settings, NOW, schedule)
    moved(engine, command.upgrade, "head")
    with session_scope(engine) as session:
        assert session.scalars(select(Plan.outdated).order_by(Plan.id)).all()[-1] is True
    plan(engine, settings, NOW, schedule)
    with session_scope(engine) as session:
        newest = session.scalars(select(Plan).order_by(Plan.id.desc())).first()
        assert not [said for said in newest.objections if "No newer plan" in said]


def test_each_gets_a_free_name_no_longer_than_its_own_and_others_keep_theirs(engine):
    moved(engine, command.downgrade, "20261128_12")
    store_windows(engine, "day 1", "day-1", "work order 12", LONGEST, "daylight", "my work order 12")
    moved(engine, command.upgrade, "head")
    with session_scope(engine) as session:
        kept = resources(session)
    names = {each.key for each in kept.windows}
    longest = "work order-" + "9" * 89
    assert names == {"day_1", "day-1", "work order-12", longest, "daylight", "my work order 12"}
    assert fault_of_resources(kept, {"windows"}, [], NOW) is None
    moved(engine, command.downgrade, "20261128_12")
    moved(engine, command.upgrade, "head")
    with engine.connect() as connection:
        assert {*connection.scalars(text("SELECT key FROM production_windows"))} == names
