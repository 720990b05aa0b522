"""The board of the week: who does what on which day, what planners do to it, and what it would cost otherwise."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from factories import at
from fastapi.testclient import TestClient
from made_fleet import ALARM, SCHEDULED
from sqlalchemy import Engine, text

from app.dashboard.board import NOBODY, monday, placed, week_of, weeks_of
from app.dashboard.context import ProposedService
from app.dashboard.plan_form import question_of
from app.database import session_scope
from app.errors import BadInput
from app.jobs.what_ifs import keep_answer
from app.orders.schemas import WorkOrderOut
from app.planning.assembly import CREW

from .test_work import TOKEN, shown

FRIDAY = at("2026-11-27 23:30")
BERLIN = {"A": ZoneInfo("Europe/Berlin")}


def service(key="press-07", start=FRIDAY, crew="A", **given):
    usual = {"probability_by_then": 0.1, "cost_now": 900.0, "cost_if_waiting": 1500.0, "reason": "Why."}
    return ProposedService(key, None, "L1", start, start + timedelta(hours=4), crew, **(usual | given))


def order(machine="press-07", state="scheduled", start=None, crew=None):
    columns = dict.fromkeys(WorkOrderOut.model_fields)
    hours = {"scheduled_start": start, "scheduled_end": start and start + timedelta(hours=2)}
    known = {"id": 7, "machine": machine, "state": state, "version": 3, "crew": crew, **hours}
    return WorkOrderOut.model_construct(**(columns | known))


def test_work_stands_on_the_day_of_its_crews_own_calendar():
    week = week_of(placed([service()], [], BERLIN), ["A", "B"], BERLIN, date(2026, 11, 23))
    [line, idle] = week.crews
    assert [len(day) for day in line.days] == [0, 0, 0, 0, 0, 1, 0]
    assert (idle.crew, sum(map(len, idle.days))) == ("B", 0)
    assert week_of(placed([service()], [], BERLIN), [], {}, date(2026, 11, 23)).crews[0].days[4]


def test_a_week_sums_what_is_known_and_counts_what_is_not():
    week = week_of(placed([service("a"), service("b", crew=None)], [], {}), ["A"], {}, monday(FRIDAY.date()))
    assert [each.crew for each in week.crews] == ["A", NOBODY]
    assert (week.services, week.cost, week.cost_if_waiting) == (2, 1800, 3000)
    assert week.failures == pytest.approx(0.2)
    unknown = week_of(placed([service("a"), service("b", cost_now=None)], [], {}), ["A"], {}, monday(FRIDAY.date()))
    assert (unknown.cost, unknown.services, unknown.unpriced) == (900, 2, 1)
    assert week_of([], ["A"], {}, monday(FRIDAY.date())).cost is None


def test_an_order_stands_where_it_was_agreed_on_and_is_no_proposal_any_more():
    later = FRIDAY + timedelta(days=3)
    [work] = placed([service()], [order(start=later, crew="night")], {})
    assert (work.by, work.state, work.order_id) == ("night", "scheduled", 7)
    assert (work.service.service_by, work.service.reason) == (later, "Why.")
    [alone] = placed([], [order(start=later)], {})
    assert (alone.by, alone.service.probability_by_then) == (NOBODY, None)


def test_an_order_without_hours_stands_where_the_plan_would_have_it():
    assert placed([], [order(state="accepted")], {}) == []
    [work] = placed([service()], [order(state="accepted")], {})
    assert (work.service.service_by, work.state) == (FRIDAY, "accepted")


def test_work_of_several_days_stands_on_each_of_them_until_midnight_and_counts_once():
    long = replace(service(), ends_at=at("2026-12-01 23:00"))
    works = placed([long], [], BERLIN)
    [line] = week_of(works, ["A"], BERLIN, date(2026, 11, 23)).crews
    assert [[each.goes_on for each in day] for day in line.days] == [[], [], [], [], [], [False], [True]]
    later = week_of(works, [], BERLIN, date(2026, 11, 30))
    assert [[each.goes_on for each in day] for day in later.crews[0].days] == [[True], [True], [], [], [], [], []]
    assert later.services == 0


def test_a_service_is_put_off_until_mondays_of_the_crews_own_calendar():
    tokyo = {"A": ZoneInfo("Asia/Tokyo")}
    [work] = placed([service(start=at("2026-12-06 23:00"))], [], tokyo)
    assert work.mondays[0] == datetime(2026, 12, 14, tzinfo=tokyo["A"])


def test_weeks_reach_from_today_to_the_plans_end_and_to_all_work():
    late = service("late", FRIDAY + timedelta(days=70))
    weeks = weeks_of(placed([service(), late], [], {}), {}, date(2026, 11, 28), date(2026, 12, 10))
    assert [(each.first.isoformat(), each.services) for each in weeks] == [
        ("2026-11-23", 1), ("2026-11-30", 0), ("2026-12-07", 0), ("2027-02-01", 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Say what should be otherwise: a crew, a window, a machine or its costs."),
        ({"costs_of": "press-07"}, "Other costs: name the machine and at least one cost."),
        ({"failure_cost": "9"}, "Other costs: name the machine and at least one cost."),
        ({"another_crew": "Z"}, "There is no crew Z whose hours are known."),
        ({"costs_of": "press-07", "failure_cost": "much"}, None),
        ({"costs_of": "press-07", "failure_cost": "inf"}, None),
        ({"now": " \x00"}, None),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_sentence(form, said):
    with pytest.raises(BadInput) as raised:
        question_of(form, [CREW])
    assert said is None or raised.value.detail == said
    assert raised.value.detail.count(".") >= 1


def test_a_question_asks_only_what_was_filled_in():
    asked = question_of({"another_crew": "crew 1", "never": "fan-1", "now": ""}, [CREW])
    assert asked.model_fields_set == {"more_crews", "never"}
    assert [each.key for each in asked.more_crews] == ["crew 1 2"]
    costs = question_of({"costs_of": "fan-1", "failure_cost": "9000"}, [CREW]).costs
    assert costs["fan-1"].model_dump(exclude_unset=False)["failure_cost"] == 9000


def weeks(page: str) -> list[str]:
    return re.findall(r'href="/plan\?week=([\d-]+)"', page)


def board(browser: TestClient) -> str:
    """Every week's page in one."""
    return "".join(browser.get(f"/plan?week={each}").text for each in weeks(browser.get("/plan").text))


def post(browser: TestClient, address: str, **fields: str):
    token = TOKEN.search(browser.get("/plan").text)[1]
    return browser.post(address, data={"csrf_token": token} | fields, follow_redirects=False)


def test_an_operator_sees_the_board_and_is_offered_nothing_to_do(operator: TestClient):
    page = board(operator)
    assert ALARM in shown(page)
    assert "early shift" in shown(page)
    assert SCHEDULED in shown(page)
    assert set(re.findall(r'<form[^>]* action="([^"]+)"', page)) == {"/sign-out"}
    token = TOKEN.search(page)[1]
    for address in ("accept", "defer", "lift", "pin", "what-if"):
        assert operator.post(f"/plan/{address}", data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize("week", ["2026-13-01", "x", "", "9999-12-31", "0001-01-01"])
def test_a_week_that_is_none_or_far_off_is_a_page_all_the_same(operator: TestClient, week: str):
    assert operator.get("/plan", params={"week": week}).status_code == 200


def test_a_service_is_put_off_and_planned_again(admin: TestClient, made: Engine):
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    refused = post(admin, "/plan/defer", machine=ALARM, until=until, why=" ")
    assert refused.status_code == 422
    assert "Why: is missing." in refused.text
    assert post(admin, "/plan/defer", machine=ALARM, until=until, why="The seal is on its way.").status_code == 303
    assert "The seal is on its way." in shown(admin.get("/plan").text)
    assert post(admin, "/plan/lift", machine=ALARM).status_code == 303
    assert "The seal is on its way." not in shown(admin.get("/plan").text)
    with made.begin() as connection:
        connection.execute(text("UPDATE plans SET outdated = false"))


def test_work_is_placed_where_the_planner_wants_it(admin: TestClient):
    start = (datetime.now(UTC) + timedelta(days=5)).replace(hour=9, minute=0, second=0, microsecond=0)
    times = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + timedelta(hours=3):%Y-%m-%dT%H:%M}"}
    backwards = times | {"end": times["start"]}
    wrong = post(admin, "/plan/pin", machine="press-09", **backwards, crew="maker's fitters")
    assert wrong.status_code == 422
    assert "The work must end after it starts" in wrong.text
    assert "maker&#39;s fitters" in wrong.text
    answer = post(admin, "/plan/pin", machine="press-09", **times, crew="maker's fitters")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/plan?week={start.date()}")
    said = shown(admin.get(answer.headers["location"]).text)
    assert "press-09" in said
    assert "maker&#39;s fitters" in said
    again = post(admin, "/plan/pin", machine="press-09", **times)
    assert again.status_code == 409
    assert "has an open work order already" in again.text


def test_a_proposal_that_is_accepted_on_the_board_is_an_order_there(admin: TestClient):
    page = board(admin)
    proposed = re.findall(r'action="/plan/accept">.*?name="machine" value="([^"]+)"', page)
    key = next(each for each in proposed if each != ALARM)
    answer = post(admin, "/plan/accept", machine=key, week="2026-11-30")
    assert (answer.status_code, answer.headers["location"]) == (303, "/plan?week=2026-11-30")
    page = board(admin)
    assert re.search(rf'job agreed">\s*<p class="k"><a href="/machines/{key}"', page)
    assert post(admin, "/plan/accept", machine=key).status_code == 409
    assert post(admin, "/plan/accept", machine="nobody").status_code == 404


def test_the_answer_to_a_what_if_is_shown_beside_the_plan(admin: TestClient, made: Engine):
    asked = post(admin, "/plan/what-if", never=ALARM, week="2026-11-30")
    assert asked.status_code == 303
    address = asked.headers["location"]
    number = int(re.search(r"what_if=(\d+)", address)[1])
    assert "The worker is working both plans out" in admin.get(address).text
    slot = {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T12:00:00Z", "crew": "A", "window": "day 2026-12-01"}
    told = {
        "cost": 1000.0, "cost_then": 4000.0, "saving": -3000.0, "gap": 0.01, "gap_then": 0.02, "services": 4,
        "services_then": 3, "objections": ["Crew B has no hours in any window."], "assumptions": [],
        "changes": [{"machine": ALARM, "before": slot, "then": None, "reason": "Left out, as it was asked for."}],
    }  # fmt: skip
    with session_scope(made) as session:
        keep_answer(session, number, told, None)
    said = shown(admin.get(address).text)
    assert "It would cost € 3,000 more." in said
    assert "1 machine would have another slot" in said
    assert "→ no service Left out, as it was asked for." in said
    assert "Crew B has no hours in any window." in said
    assert "do not build on it" not in said


def test_a_question_of_what_is_not_there_keeps_what_was_typed(admin: TestClient):
    answer = post(admin, "/plan/what-if", never="nobody-7", failure_cost="12", costs_of="nobody-7")
    assert answer.status_code == 422
    assert "There is no machine nobody-7." in answer.text
    assert 'name="never" value="nobody-7"' in answer.text
    assert admin.get("/plan?what_if=999999").status_code == 404
