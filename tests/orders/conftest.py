"""A planner who acts on work orders over HTTP, and an operator who reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.planning.tables import Plan, PlanItem

URL, CALENDARS = "/api/v1/work-orders", "/api/v1/calendars"


@pytest.fixture
def now():
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def order(client, planner, make_machine):
    """`order("press-07")` makes the machine and an order for it."""

    def make(machine="press-07", columns=(), **given):
        make_machine(machine, **dict(columns))
        answer = client.post(URL, json={"machine": machine, **given}, headers=planner)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def step(client, planner):
    """`step(order, "accept")` -> the status and the answer; the version is the order's, unless given."""

    def take(order, name, headers=None, **given):
        body = {"version": order["version"], **given}
        answer = client.post(f"{URL}/{order['id']}/{name}", json=body, headers=headers or planner)
        return answer.status_code, answer.json()

    return take


@pytest.fixture
def taken(step):
    """As `step`, and it must succeed: -> the order."""

    def take(order, name, **given):
        status, answer = step(order, name, **given)
        assert status == 200, answer
        return answer

    return take


@pytest.fixture
def scheduled(taken, now):
    def make(order, hours=2, **given):
        start = now + timedelta(hours=1)
        times = {"start": start.isoformat(), "end": (start + timedelta(hours=hours)).isoformat()}
        return taken(taken(order, "accept"), "schedule", **(times | given))

    return make


@pytest.fixture
def propose(session, now):
    """A plan with one proposal; None as date: the machine is left out."""

    def make(machine, service_by=now + timedelta(days=3), reason="Risk 40 %.", **slot):
        plan = Plan(as_of=now)
        session.add(plan)
        session.flush()
        given = {"service_by": service_by, "probability_by_then": 0.4, "reason": reason, **slot}
        session.add(PlanItem(plan_id=plan.id, machine_id=machine.id, **given))
        session.flush()
        return plan

    return make


@pytest.fixture
def feed(client, planner):
    """`feed("night shift", crew="night")` -> its address."""

    def make(name="all", **narrowed):
        answer = client.post(CALENDARS, json={"name": name, **narrowed}, headers=planner)
        assert answer.status_code == 201, answer.text
        return answer.json()["address"]

    return make
