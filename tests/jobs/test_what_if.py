"""Questions to a plan: asked over HTTP, answered by the worker, both plans in money."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
from factories import HORIZONS_HOURS, partition_of
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app.database import session_scope
from app.errors import BadInput, TooBusy, Unavailable
from app.fleet.tables import Machine
from app.jobs import what_ifs
from app.jobs.tables import WhatIf
from app.main import create_app
from app.planning.tables import Plan
from app.risk.tables import LatestPrediction, Model, Prediction
from app.security.keys import create_key
from app.security.policy import Role
from ml.jobs import queue as queue_module
from ml.jobs.plan import plan
from ml.jobs.queue import make_queue
from ml.jobs.refresh import refresh
from ml.jobs.what_if import what_if
from ml.planning.scheduler import schedule

HIGH = [0.4, 0.6, 0.8, 0.9, 0.95]
WEEK = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
URL = "/api/v1/plan/what-if"


@pytest.fixture
def fleet(engine):
    """Eight machines that are likely to fail within days."""
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        model = Model(
            status="champion", kind="ensemble", run="1", trained_until=now, promoted_at=now, bucket_seconds=3600,
            horizons_hours=HORIZONS_HOURS, modes=[], card={}, manifest={},
        )  # fmt: skip
        machines = [Machine(key=f"fan-{number}", line="L1") for number in range(8)]
        session.add_all([model, *machines])
        session.flush()
        session.execute(text(partition_of(now)))
        for machine in machines:
            said = Prediction(
                machine_id=machine.id, model_id=model.id, as_of=now, horizons_hours=HORIZONS_HOURS,
                probabilities=HIGH, coverage=1.0,
            )  # fmt: skip
            session.add(said)
            session.flush()
            session.add(LatestPrediction(machine_id=machine.id, prediction_id=said.id))
            session.execute(
                text("INSERT INTO readings (machine_id, measured_at, temperature_c) VALUES (:id, :at, 60)"),
                {"id": machine.id, "at": now},
            )
    return engine


@pytest.fixture
def client(fleet, settings):
    with session_scope(fleet) as session:
        headers = {"Authorization": f"Bearer {create_key(session, 'planner', Role.PLANNER)}"}
    with TestClient(create_app(settings, fleet)) as client:
        client.headers.update(headers)
        yield client


@pytest.fixture
def asked(client, fleet, settings, monkeypatch):
    """`asked(now=["fan-1"])` -> what the worker answers."""
    monkeypatch.setattr("ml.jobs.what_if.schedule_apart", schedule)

    def ask(**question):
        answer = client.post(URL, json=question)
        if answer.status_code != 202:
            return answer.json()
        assert answer.json()["answer"] is None
        work(fleet, settings)
        return client.get(f"{URL}/{answer.json()['id']}").json()

    return ask


def work(engine, settings):
    """All jobs that wait, but the clock's."""
    made = make_queue(engine, settings)
    made.periodic_registry.periodic_tasks.clear()

    async def run():
        async with made.open_async():
            await made.run_worker_async(wait=False, install_signal_handlers=False)

    asyncio.run(run())


def test_nothing_changed_costs_nothing(asked):
    answer = asked()["answer"]
    assert (answer["saving"], answer["changes"]) == (0, [])
    assert answer["cost"] == answer["cost_then"] > 0


def test_another_crew_saves_money_and_says_who_is_serviced_earlier(asked):
    answer = asked(more_crews=[{"key": "B", "hours": WEEK}])["answer"]
    assert answer["saving"] > 0
    assert {each["then"]["crew"] for each in answer["changes"]} <= {"crew 1", "B"}
    assert any(each["then"]["start"] < each["before"]["start"] for each in answer["changes"])


def test_a_machine_serviced_never_costs_more_and_leaves_its_place_to_others(asked):
    answer = asked(never=["fan-1"])["answer"]
    assert answer["saving"] < 0
    [change] = [each for each in answer["changes"] if each["machine"] == "fan-1"]
    assert change["then"] is None
    assert "left out, as it was asked for" in change["reason"]


def test_a_machine_serviced_now_gets_the_first_window_there_is(asked, client):
    answer = asked(now=["fan-7"], resources={"crews": [{"key": "A", "hours": WEEK}]})["answer"]
    first = f"day {datetime.now(UTC).date()}"
    late = datetime.now(UTC).hour >= 19
    then = next((each["then"] for each in answer["changes"] if each["machine"] == "fan-7"), None)
    assert late or then["window"] == first


def test_a_closed_window_moves_what_was_planned_in_it(asked, fleet, settings):
    plan(fleet, settings, scheduling=schedule)
    with session_scope(fleet) as session:
        window = session.scalar(text("SELECT min(planned_window) FROM plan_items"))
    answer = asked(closed_windows=[window])["answer"]
    assert answer["saving"] < 0
    assert all(each["then"] is None or each["then"]["window"] != window for each in answer["changes"])


def test_dearer_failures_make_the_plan_dearer(asked):
    answer = asked(costs={"fan-0": {"failure_cost": 100_000.0}})["answer"]
    assert answer["cost_then"] > answer["cost"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"now": ["nobody"]}, "There is no machine nobody."),
        ({"more_crews": [{"key": "crew 1", "hours": WEEK}]}, "The crew crew 1 comes twice."),
        ({"more_crews": [{"key": "B", "hours": {}}]}, "Crew B has no hours."),
        ({"resources": {"lines": [{"line": "L9"}]}}, "No machine stands on the line L9."),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(asked, question, said):
    assert asked(**question)["detail"] == said


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"closed_windows": ["Sunday"]}, "There is no window Sunday ahead."),
        ({"now": ["fan-1"], "never": ["fan-1"]}, "fan-1 cannot be serviced both now and never."),
        (
            {"now": ["fan-1"], "resources": {"services": [{"hours": 9.0}]}},
            "fan-1 cannot be serviced: no window has 9 h left of a crew that could do it, room on its line and its"
            " parts.",
        ),
    ],
)
def test_what_only_the_worker_can_see_is_told_as_a_fault(asked, question, said):
    answer = asked(**question)
    assert (answer["answer"], answer["fault"]) == (None, said)


def test_a_question_changes_nothing_that_is_stored(asked, client):
    before = client.get("/api/v1/plan/resources").json()
    asked(more_crews=[{"key": "B", "hours": WEEK}], resources={"parts": []})
    assert client.get("/api/v1/plan/resources").json() == before
    assert client.get("/api/v1/plan").json()["id"] is None


def test_an_answer_that_is_not_there_is_not_found_and_a_failed_one_says_so(client, fleet):
    assert client.get(f"{URL}/77").status_code == 404
    number = client.post(URL, json={}).json()["id"]
    with fleet.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = :id"), {"id": number})
    assert client.get(f"{URL}/{number}").json()["fault"] == "The worker failed at it; its log says why."


def test_a_question_is_worked_at_when_the_one_before_it_is_answered(client, fleet, settings):
    """The lock of jobs that are waiting, and of those that the queue itself makes."""
    client.post(URL, json={})
    with fleet.begin() as connection:
        waiting = connection.scalars(text("SELECT lock FROM procrastinate_jobs WHERE task_name = 'what_if'"))
        assert waiting.all() == [make_queue(fleet, settings).tasks["what_if"].lock] == ["what_if"]


def test_a_question_without_a_schedule_in_time_is_told_so(client, fleet, settings, monkeypatch):
    def too_late(problem, seconds):
        raise Unavailable("No schedule was found in time.")

    monkeypatch.setattr("ml.jobs.queue.what_if", partial(what_if, scheduling=too_late))
    number = client.post(URL, json={}).json()["id"]
    work(fleet, settings)
    assert client.get(f"{URL}/{number}").json()["fault"] == "No schedule was found in time."


@pytest.mark.parametrize("planned_before", [True, False])
def test_why_there_is_no_newer_plan_is_kept_with_the_one_before_and_it_is_not_sought_for_ever(
    client, fleet, settings, monkeypatch, planned_before
):
    def contradicts(problem, seconds):
        raise BadInput("There are two of the window stop.")

    if planned_before:
        plan(fleet, settings, scheduling=schedule)
        client.patch("/api/v1/plan/resources", json={"crews": [{"key": "night", "hours": WEEK}]})
    for _ in range(2):
        with pytest.raises(BadInput):
            plan(fleet, settings, scheduling=contradicts)
    found = client.get("/api/v1/plan").json()
    assert found["objections"] == ["No newer plan could be made: There are two of the window stop."]
    assert (len(found["items"]) > 0) == planned_before
    monkeypatch.setattr("ml.jobs.refresh.scoring_due", lambda *_: False)
    assert not refresh(fleet, settings)
    plan(fleet, settings, scheduling=schedule)
    assert client.get("/api/v1/plan").json()["objections"] == []


def test_what_was_changed_while_a_plan_failed_is_planned_anew(client, fleet, settings, monkeypatch):
    def contradicts(problem, seconds):
        client.patch("/api/v1/plan/resources", json={"crews": [{"key": "night", "hours": WEEK}]})
        raise BadInput("There are two of the window stop.")

    with pytest.raises(BadInput):
        plan(fleet, settings, scheduling=contradicts)
    monkeypatch.setattr("ml.jobs.refresh.scoring_due", lambda *_: False)
    assert refresh(fleet, settings) == ("plan",)


def test_no_more_questions_wait_than_the_worker_answers_soon(client, monkeypatch):
    monkeypatch.setattr(what_ifs, "MOST_WAITING", 2)
    assert [client.post(URL, json={}).status_code for _ in range(3)] == [202, 202, TooBusy.status]


def test_the_newest_answers_are_kept(fleet, monkeypatch):
    monkeypatch.setattr(what_ifs, "KEPT", 2)
    with session_scope(fleet) as session:
        for number in (1, 2, 3, 3):
            what_ifs.keep_answer(session, number, {}, None)
        assert session.scalars(select(WhatIf.job_id).order_by(WhatIf.job_id)).all() == [2, 3]


def test_a_changed_crew_makes_the_worker_plan_anew(client, fleet, settings, monkeypatch):
    monkeypatch.setattr(queue_module, "plan", lambda *given: plan(*given, scheduling=schedule))
    plan(fleet, settings, scheduling=schedule)
    with session_scope(fleet) as session:
        assert not session.scalar(select(Plan.outdated))
    monkeypatch.setattr("ml.jobs.refresh.scoring_due", lambda *_: False)
    assert not refresh(fleet, settings)
    client.patch("/api/v1/plan/resources", json={"crews": [{"key": "night", "hours": WEEK}]})
    made = make_queue(fleet, settings)
    with made.open():
        made.tasks["refresh"].func(0)
    work(fleet, settings)
    assert not refresh(fleet, settings)
    found = client.get("/api/v1/plan").json()
    assert found["outdated"] is False
    assert {each["crew"] for each in found["items"]} == {"night"}
