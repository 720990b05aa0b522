"""A service that somebody put off is not planned before then, and the plan says who wanted it so and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from factories import at
from made_plant import DAY, NOW, job, night, plant
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.clock import utc_now
from app.planning.problem import Deferral
from app.planning.store import plan_outdated
from app.security.policy import Role
from ml.planning.scheduler import schedule

URL = "/api/v1/plan/deferrals"
# A Tuesday in the hours of the assumed crew.
MORNING = at("2026-11-24 08:30")
HIGH = [0.4, 0.6, 0.8, 0.9, 0.95]


def deferral(until):
    return Deferral(until, "Ada", "the seal is on its way")


def test_a_deferred_service_waits_and_says_why():
    problem = plant(job("a"), windows=[night(0), night(3), night(7)])
    assert schedule(problem, 2).services[0].window == "night 0"
    later = schedule(plant(job("a", deferral=deferral(NOW + 4 * DAY)), windows=problem.windows), 2)
    assert later.services[0].window == "night 7"
    assert later.services[0].reason.startswith("Deferred until Tue 1 Dec by Ada: the seal is on its way. ")


def test_a_service_deferred_beyond_all_windows_leaves_the_machine_out():
    found = schedule(plant(job("a", deferral=deferral(NOW + 25 * DAY))), 2)
    assert ": Deferred until Tue 22 Dec by Ada: the seal is on its way." in found.left_out[0].reason


def test_who_cannot_move_pays_nothing_for_moving():
    waiting = job("a", deferral=deferral(NOW + 25 * DAY))
    free = schedule(plant(waiting, moving_cost=50.0), 2).cost
    proposed = replace(waiting, proposed_window="night 0")
    assert schedule(plant(proposed, moving_cost=50.0), 2).cost == free


def test_words_go_by_the_clock_of_the_crew():
    sound = plant(job("a", (1e-4, 2e-4, 4e-4)), windows=[night(7)])
    [left] = schedule(replace(sound, zone=ZoneInfo("Asia/Tokyo")), 2).left_out
    assert "even the best window, Sat 5 Dec" in left.reason
    [left] = schedule(sound, 2).left_out
    assert "even the best window, Fri 4 Dec" in left.reason


def test_a_window_that_began_before_the_deferral_ended_is_too_early():
    window = night(2)
    found = schedule(
        plant(job("a", deferral=deferral(window.span.start + timedelta(minutes=1))), windows=[window]), 2
    )
    assert not found.services


@pytest.fixture
def planner(client, key_for):
    client.app.dependency_overrides[utc_now] = lambda: MORNING
    return key_for(Role.PLANNER)


@pytest.fixture
def send(client, planner):
    def post(machine="press", until=MORNING + timedelta(days=9), why="The seal is on its way."):
        answer = client.post(
            URL, json={"machine": machine, "until": until.isoformat(), "why": why}, headers=planner
        )
        return answer.status_code, answer.json()

    return post


@pytest.fixture
def press(make_machine, make_model, make_reading, make_prediction):
    machine = make_machine("press")
    make_reading(machine, MORNING, temperature_c=60)
    make_prediction(machine, make_model(), MORNING - timedelta(minutes=30), probabilities=HIGH)
    return machine


def planned(client, planner):
    body = client.get("/api/v1/plan", headers=planner).json()
    return [each["start"][:10] for each in body["items"]], [*body["items"], *body["left_out"]][0]["reason"]


def test_plans_keep_to_a_deferral_until_it_is_lifted(client, planner, send, press, make_plan, session):
    make_plan(MORNING)
    assert planned(client, planner)[0] == ["2026-11-24"]
    status, said = send()
    assert (status, said["machine"], said["actor"][:3]) == (201, "press", "key")
    session.expire_all()
    assert plan_outdated(session)
    make_plan(MORNING)
    days, reason = planned(client, planner)
    assert days == ["2026-12-04"]
    assert "Deferred until Thu 3 Dec by" in reason
    assert [each["machine"] for each in client.get(URL, headers=planner).json()["deferrals"]] == ["press"]
    assert client.delete(f"{URL}/press", headers=planner).status_code == 204
    assert client.get(URL, headers=planner).json()["deferrals"] == []
    make_plan(MORNING)
    assert planned(client, planner)[0] == ["2026-11-24"]
    assert client.delete(f"{URL}/press", headers=planner).json()["detail"] == "No service of press is deferred."


def test_the_newest_deferral_counts_and_none_is_ever_changed(client, planner, send, press, session):
    send()
    send(until=MORNING + timedelta(days=2), why="It is here.")
    [one] = client.get(URL, headers=planner).json()["deferrals"]
    assert one["why"] == "It is here."
    with pytest.raises(DBAPIError, match="plan_deferrals"), session.begin_nested():
        session.execute(text("UPDATE plan_deferrals SET why = 'other'"))
    assert session.scalar(text("SELECT count(*) FROM plan_deferrals")) == 2


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"machine": "nobody"}, 404, "There is no machine nobody."),
        ({"until": MORNING}, 422, "A service can only be deferred until a time that is ahead."),
        ({"until": MORNING + timedelta(days=400)}, 422, "A service can be deferred by 366 days at most."),
        ({"why": " "}, 422, None),
    ],
)
def test_what_cannot_be_deferred_is_refused_in_one_sentence(send, press, given, status, said):
    found, body = send(**given)
    assert found == status
    assert said is None or body["detail"] == said


def test_operators_read_and_planners_defer(client, planner, key_for):
    operator = key_for(Role.OPERATOR)
    assert client.get(URL, headers=operator).status_code == 200
    body = {"machine": "press", "until": (MORNING + timedelta(days=1)).isoformat(), "why": "No."}
    assert client.post(URL, json=body, headers=operator).status_code == 403
