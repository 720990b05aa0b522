"""Work orders over HTTP: every step with who, when and why; one open order a machine; nobody overwrites another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from factories import at
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.database import session_scope
from app.errors import Conflict
from app.fleet.tables import Machine
from app.main import create_app
from app.orders import actions
from app.orders.schemas import StepIn, WorkOrderIn
from app.orders.states import NEXT, OPEN, State, fault_of_step
from app.orders.store import agreed_work
from app.orders.tables import WorkOrder, WorkStep
from app.planning.problem import Span
from app.planning.store import plan_outdated
from app.planning.tables import PlanDeferral
from app.security.principal import Principal, Role

from .conftest import URL

NOW = at("2026-11-21 08:30")
ADA = Principal("person", "Ada", Role.PLANNER)


def test_an_order_goes_its_way_and_every_step_says_who_when_and_why(client, operator, order, taken, now):
    made = order(why="It hums.", work="Grease it.")
    accepted = taken(made, "accept", why="Agreed.")
    times = {"start": (now + timedelta(hours=1)).isoformat(), "end": (now + timedelta(hours=3)).isoformat()}
    scheduled = taken(accepted, "schedule", crew="night shift", **times)
    started = taken(scheduled, "start")
    cancelled = taken(started, "cancel", why="No spare bearing.")
    assert cancelled["state"] == "cancelled"
    told = client.get(f"{URL}/{made['id']}", headers=operator).json()
    states = ["proposed", "accepted", "scheduled", "in_progress", "cancelled"]
    assert [each["to_state"] for each in told["history"]] == states
    assert [each["from_state"] for each in told["history"]] == [None, *states[:-1]]
    assert [each["version"] for each in told["history"]] == [1, 2, 3, 4, 5]
    assert [each["why"] for each in told["history"]] == ["It hums.", "Agreed.", None, None, "No spare bearing."]
    assert all(each["actor"].startswith("key planner") for each in told["history"])
    assert told["history"][2]["detail"]["crew"] == told["crew"] == "night shift"


@pytest.mark.parametrize(("before", "after"), [(a, b) for a in State for b in State])
def test_only_the_steps_of_the_way_can_be_taken(before, after):
    fault = fault_of_step(before, after)
    assert (fault is None) == (after in NEXT[before])
    assert fault is None or "in_progress" not in fault


def test_closed_is_what_nothing_follows():
    assert set(State) - set(OPEN) == {State.DONE, State.CANCELLED}


def test_a_step_that_cannot_follow_is_refused_in_words(order, step):
    status, answer = step(order(), "start")
    assert status == 409
    assert answer["detail"] == "This work order is proposed, and only accepted or cancelled can follow."


def test_a_machine_has_one_open_order_and_the_next_when_that_is_closed(client, planner, order, taken):
    first = order()
    again = client.post(URL, json={"machine": "press-07"}, headers=planner)
    assert again.status_code == 409
    assert again.json()["detail"] == f"press-07 has an open work order already: {first['id']}, proposed."
    assert again.json()["work_order"] == first["id"]
    taken(first, "cancel", why="By mistake.")
    assert client.post(URL, json={"machine": "press-07"}, headers=planner).status_code == 201


def test_the_database_itself_refuses_a_second_open_order(session, order):
    order()
    machine = session.scalars(select(Machine)).one()
    session.add(WorkOrder(machine_id=machine.id, state="accepted"))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.flush()


def test_history_can_neither_be_changed_nor_deleted(session, order):
    order(why="It hums.")
    for statement in (update(WorkStep).values(why="Nothing."), delete(WorkStep)):
        with pytest.raises(IntegrityError, match="never changed"), session.begin_nested():
            session.execute(statement)
    assert session.scalars(select(WorkStep.why)).all() == ["It hums."]


def test_the_same_external_id_is_the_same_order_whatever_became_of_it(client, planner, order, taken, make_machine):
    first = order(external_id="SAP-4711")
    given = {"machine": "press-07", "external_id": "SAP-4711", "work": "told otherwise"}
    again = client.post(URL, json=given, headers=planner)
    assert (again.status_code, again.json()) == (200, first)
    taken(first, "cancel", why="By mistake.")
    again = client.post(URL, json=given, headers=planner)
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, first["id"], "cancelled")
    make_machine("fan-1")
    other = client.post(URL, json=given | {"machine": "fan-1"}, headers=planner)
    assert other.status_code == 409
    assert other.json()["detail"] == "The external id SAP-4711 names a work order for press-07."


def test_who_acts_on_what_has_changed_since_is_told_by_whom(order, step, taken):
    made = order()
    taken(made, "accept")
    status, answer = step(made, "cancel", why="Too late.")
    assert status == 409
    assert answer["detail"].startswith(
        f"Work order {made['id']} has changed since you looked: accepted, by key planner"
    )
    assert answer["version"] == 2


def at_once(engine, *work):
    """Each in a transaction and thread of its own -> what it gave or raised as a Conflict."""

    def one(each):
        try:
            with session_scope(engine) as session:
                return each(session)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(one, work))


def test_of_two_who_act_at_once_one_does_and_the_other_is_told(engine):
    with session_scope(engine) as session:
        session.add(Machine(key="press-07"))
        session.flush()
        made, _ = actions.add_order(session, ADA, WorkOrderIn(machine="press-07"), NOW)
    accept = [lambda session: actions.accept(session, ADA, made.order.id, StepIn(version=1), NOW)] * 6
    answers = at_once(engine, *accept)
    assert sum(isinstance(each, Conflict) for each in answers) == 5
    with session_scope(engine) as session:
        assert session.scalars(select(WorkStep.version).order_by(WorkStep.version)).all() == [1, 2]


def test_of_many_orders_made_at_once_for_one_machine_one_is_made(engine):
    with session_scope(engine) as session:
        session.add_all([Machine(key="press-07"), Machine(key="fan-1")])
    plain = WorkOrderIn(machine="press-07")
    answers = at_once(engine, *[lambda session: actions.add_order(session, ADA, plain, NOW)[1]] * 6)
    assert sum(each is True for each in answers) == 1
    assert sum(isinstance(each, Conflict) for each in answers) == 5
    named = WorkOrderIn(machine="fan-1", external_id="SAP-1")
    answers = at_once(engine, *[lambda session: actions.add_order(session, ADA, named, NOW)] * 6)
    assert len({ordered.order.id for ordered, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1


def test_an_order_from_the_plan_takes_over_its_date_its_risk_and_its_reason(
    client, planner, make_machine, propose, now
):
    plan = propose(make_machine("press-07"))
    made = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner).json()
    assert (made["plan_id"], made["probability_by_then"]) == (plan.id, 0.4)
    assert made["due_at"] == (now + timedelta(days=3)).isoformat().replace("+00:00", "Z")
    told = client.get(f"{URL}/{made['id']}", headers=planner).json()
    assert told["history"][0]["why"] == "Risk 40 %."


def test_an_order_from_the_plan_takes_over_its_hours_and_its_crew_and_plans_keep_to_them(
    client, planner, make_machine, propose, now, taken, session
):
    start, machine = now + timedelta(days=3), make_machine("press-07")
    propose(machine, ends_at=start + timedelta(hours=4), crew="A", planned_window="day 2026-12-01")
    made = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner).json()
    assert made["crew"] == "A"
    assert agreed_work(session) == {}
    taken(made, "accept")
    [agreed] = agreed_work(session).values()
    assert (agreed.span, agreed.crew, agreed.begun) == (Span(start, start + timedelta(hours=4)), "A", False)


@pytest.mark.parametrize("seen", [{"start": timedelta(hours=1)}, {"crew": "B"}])
def test_a_proposal_that_is_not_what_was_shown_is_not_accepted(
    client, planner, make_machine, propose, now, session, seen
):
    start = now + timedelta(days=3)
    propose(make_machine("press-07"), ends_at=start + timedelta(hours=4), crew="A")
    given = {"start": start, "crew": "A"} | seen
    given["start"] = (start + seen["start"] if "start" in seen else start).isoformat()
    asked = {"machine": "press-07", "from_plan": True}
    answer = client.post(URL, json=asked | given, headers=planner)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("The plan has changed: press-07 is now proposed for ")
    shown = {"start": start.isoformat(), "crew": "A"}
    assert client.post(URL, json=asked | shown, headers=planner).status_code == 201


def test_a_proposal_whose_time_is_over_is_not_accepted(client, planner, make_machine, propose, now):
    start = now - timedelta(hours=5)
    propose(make_machine("press-07"), service_by=start, ends_at=start + timedelta(hours=4), crew="A")
    answer = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner)
    assert answer.status_code == 409
    assert "is over; the next plan proposes another" in answer.json()["detail"]


@pytest.mark.parametrize("what", ["deferred", "out of use", "plan of two days ago"])
def test_what_no_longer_holds_is_not_accepted(client, planner, make_machine, propose, session, now, what):
    machine = make_machine("press-07")
    plan = propose(machine)
    if what == "deferred":
        until = now + timedelta(days=60)
        session.add(PlanDeferral(machine_id=machine.id, at=now, actor="person Ada", until=until, why="No seal."))
        said = "press-07 was deferred until "
    elif what == "out of use":
        machine.decommissioned_at, said = now - timedelta(hours=1), "press-07 is out of use since "
    else:
        plan.as_of, said = now - timedelta(days=2), "The newest plan is of "
    session.flush()
    answer = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(said)


def test_every_step_but_the_first_makes_the_plan_outdated(client, planner, make_machine, propose, taken, session):
    propose(make_machine("press-07"))
    made = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner).json()
    assert not plan_outdated(session)
    accepted = taken(made, "accept")
    assert plan_outdated(session)
    propose(session.scalars(select(Machine)).one())
    assert not plan_outdated(session)
    taken(accepted, "cancel", why="No spare bearing.")
    session.expire_all()
    assert plan_outdated(session)


@pytest.mark.parametrize("planned", [False, True])
def test_without_a_proposal_there_is_no_order_from_the_plan(client, planner, make_machine, propose, planned):
    machine = make_machine("press-07")
    if planned:
        propose(machine, service_by=None)
    answer = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The newest plan proposes no service for press-07."


def test_operators_read_and_planners_act(client, operator, key_for, order, step):
    made = order()
    assert client.get(f"{URL}/{made['id']}", headers=operator).status_code == 200
    assert client.get(URL, headers=operator).json()["total"] == 1
    assert client.get(URL, headers=key_for(Role.SENSOR)).status_code == 403
    assert client.post(URL, json={"machine": "press-07"}, headers=operator).status_code == 403
    for name in ("accept", "schedule", "start", "cancel"):
        assert step(made, name, headers=operator)[0] == 403


def test_orders_are_listed_open_ones_first_by_date_and_narrowed(client, operator, order, taken, scheduled, now):
    late = order("press-01", due_at=(now + timedelta(days=9)).isoformat(), columns={"site": "North"})
    early = scheduled(order("press-02", columns={"site": "South", "line": "A"}), crew="night shift")
    dateless = order("press-03")
    closed = taken(order("press-04"), "cancel", why="By mistake.")

    def listed(query=""):
        return [each["id"] for each in client.get(f"{URL}{query}", headers=operator).json()["work_orders"]]

    assert listed() == [early["id"], late["id"], dateless["id"], closed["id"]]
    assert listed("?state=proposed&state=scheduled") == [early["id"], late["id"], dateless["id"]]
    assert listed("?site=North") == listed("?machine=press-01") == [late["id"]]
    assert listed("?line=A") == listed("?crew=night%20shift") == [early["id"]]
    assert listed("?limit=1&offset=1") == [late["id"]]


def test_a_date_may_move_and_the_history_keeps_both(client, operator, order, taken, scheduled, now):
    first = scheduled(order(), crew="night shift")
    moved = {"start": (now + timedelta(days=2)).isoformat(), "end": (now + timedelta(days=2, hours=1)).isoformat()}
    again = taken(first, "schedule", why="Night shift is ill.", **moved)
    assert (again["crew"], again["scheduled_start"]) == (None, moved["start"].replace("+00:00", "Z"))
    history = client.get(f"{URL}/{first['id']}", headers=operator).json()["history"]
    assert [each["detail"].get("crew") for each in history[2:]] == ["night shift", None]


@pytest.mark.parametrize(
    ("start", "end", "word"),
    [(3, 3, "after"), (3, 2, "after"), (1, 900, "31"), (-3, -2, "over")],
)
def test_a_date_that_cannot_be_is_refused(order, step, taken, now, start, end, word):
    times = {"start": (now + timedelta(hours=start)).isoformat(), "end": (now + timedelta(hours=end)).isoformat()}
    status, answer = step(taken(order(), "accept"), "schedule", **times)
    assert status == 422
    assert word in answer["detail"]


def test_work_does_not_begin_in_the_future(order, step, taken, now):
    accepted = taken(order(), "accept")
    status, answer = step(accepted, "start", started_at=(now + timedelta(hours=1)).isoformat())
    assert (status, answer["detail"]) == (422, "The start lies in the future.")
    earlier = taken(accepted, "start", started_at=(now - timedelta(hours=1)).isoformat())
    assert earlier["started_at"] == (now - timedelta(hours=1)).isoformat().replace("+00:00", "Z")


def test_who_cancels_says_why(order, step):
    made = order()
    assert step(made, "cancel")[0] == 422
    assert step(made, "cancel", why="  ")[0] == 422


def test_what_is_not_there_is_not_found(client, planner, step):
    assert client.get(f"{URL}/7", headers=planner).status_code == 404
    assert step({"id": 7, "version": 1}, "accept")[0] == 404
    assert client.post(URL, json={"machine": "nobody"}, headers=planner).status_code == 404


def test_a_person_who_acts_is_named(client, settings, session, sign_in, make_machine):
    make_machine("press-07")
    session.commit()
    headers = sign_in(Role.PLANNER, "Ada")
    made = client.post(URL, json={"machine": "press-07"}, headers=headers).json()
    assert client.get(f"{URL}/{made['id']}").json()["history"][0]["actor"] == "person Ada"


def test_the_interface_describes_every_step(settings, connection):
    with TestClient(create_app(settings, connection)) as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"201", "200"} <= paths[URL]["post"]["responses"].keys()
    for name in ("accept", "schedule", "start", "cancel"):
        assert paths[f"{URL}/{{order_id}}/{name}"]["post"]["requestBody"]["required"]
