"""Plans made on the test's own connection, by the search that needs no process of its own."""

from functools import partial

import pytest

from app.orders.store import agreed_work
from app.planning.actions import fleet_to_plan, keep
from ml.planning.scheduler import schedule


@pytest.fixture
def make_plan(session, settings):
    def make(now, seconds=5.0):
        fleet = fleet_to_plan(session, settings, now, agreed_work(session))
        asked = fleet.asked()
        made = keep(session, fleet, asked, schedule(asked.problem, seconds), partial(agreed_work, session))
        session.flush()
        return made

    return make
