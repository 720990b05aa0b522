from datetime import timedelta
from itertools import pairwise

import pytest
from factories import at
from sqlalchemy import func, select

from app.planning import store
from app.planning.renewed_lately import LONGEST_WINDOW
from app.planning.tables import Plan, PlanItem
from app.security.policy import Role
from ml.features.catalogue import WINDOWS

# A Tuesday in the hours of the assumed crew.
NOW = at("2026-11-24 08:30")
AS_OF = at("2026-11-24 08:00")
RISING = [0.01, 0.04, 0.16, 0.4, 0.8]
HIGH = [0.4, 0.6, 0.8, 0.9, 0.95]
LOW = [0.001, 0.003, 0.008, 0.016, 0.04]


@pytest.fixture
def plan(client, key_for):
    headers = key_for(Role.OPERATOR)

    def get(query=""):
        answer = client.get(f"/api/v1/plan{query}", headers=headers)
        return answer.status_code, answer.json()

    return get


@pytest.fixture
def make_scored(make_machine, make_reading, make_prediction):
    def make(key, model, probabilities, read_at=NOW, as_of=AS_OF, **columns):
        machine = make_machine(key, **columns)
        make_reading(machine, read_at, temperature_c=60)
        make_prediction(machine, model, as_of, probabilities=probabilities)
        return machine

    return make


def keys(lines):
    return [line["machine"] for line in lines]


def test_without_a_plan_the_answer_says_so(plan):
    status, body = plan()
    assert status == 200
    assert (body["id"], body["items"], body["left_out"]) == (None, [], [])
    assert body["reason"].startswith("No plan yet")


def test_a_plan_lists_services_by_date_and_says_why_the_rest_are_left_out(
    make_plan, plan, make_machine, make_model, make_scored
):
    model = make_model()
    make_scored("rising", model, RISING)
    make_scored("high", model, HIGH, failure_cost=50000, preventive_cost=100)
    make_scored("low", model, LOW)
    make_scored("silent", model, HIGH, read_at=NOW - timedelta(hours=5))
    make_machine("never")
    make_scored("gone", model, HIGH, decommissioned_at=NOW - timedelta(days=1))
    made = make_plan(NOW)
    assert made.summary == f"Plan {made.id}: 2 services proposed, 3 machines left out."
    _, body = plan()
    assert (body["id"], body["as_of"]) == (made.id, "2026-11-24T08:30:00Z")
    assert keys(body["items"]) == ["high", "rising"]
    high, rising = body["items"]
    assert (high["start"], high["end"]) == ("2026-11-24T08:30:00Z", "2026-11-24T12:30:00Z")
    assert (high["crew"], high["window"], high["service_by"]) == ("crew 1", "day 2026-11-24", high["start"])
    assert "A failure costs €50,000, a service €100." in high["reason"]
    assert "A failure costs €8,000, a service €800. Taken from the plant's defaults: " in rising["reason"]
    assert body["cost"] >= body["bound"] > 0
    assert body["gap"] == pytest.approx((body["cost"] - body["bound"]) / body["cost"])
    assert rising["start"] >= high["end"]
    assert 0 <= rising["probability_by_then"] < 0.8
    assert rising["cost_now"] < rising["cost_if_waiting"]
    reasons = {line["machine"]: line["reason"] for line in body["left_out"]}
    assert reasons["never"] == "Not planned, no prediction yet: no reading has arrived."
    assert reasons["silent"] == "Not planned, silent: no reading since 2026-11-24 03:30 UTC."
    assert reasons["low"].startswith("4 % until Tue 22 Dec: even the best window, ")
    assert keys(body["left_out"])[-1] == "low"


def test_totals_are_the_sums_of_what_the_filters_let_through(make_plan, plan, make_model, make_scored):
    model = make_model()
    for number in range(4):
        make_scored(f"fan-{number}", model, HIGH, site="north" if number % 2 else "south", line=f"l{number}")
    make_scored("low", model, LOW, site="south")
    make_plan(NOW)
    _, body = plan("?site=south")
    assert keys(body["items"]) == ["fan-0", "fan-2"]
    assert (body["totals"]["services"], body["totals"]["left_out"]) == (2, 1)
    for name in ("cost_now", "cost_if_waiting"):
        assert body["totals"][name] == pytest.approx(sum(line[name] for line in body["items"]))
    saving = body["totals"]["cost_if_waiting"] - body["totals"]["cost_now"]
    assert body["totals"]["saving"] == pytest.approx(saving)
    assert saving > 0
    _, body = plan("?line=l3")
    assert (keys(body["items"]), body["left_out"]) == (["fan-3"], [])
    _, body = plan("?limit=1&offset=1")
    assert (keys(body["items"]), body["totals"]["services"]) == (["fan-1"], 4)


def test_the_newest_plan_is_shown_and_old_ones_go(session, make_plan, plan, make_model, make_scored, monkeypatch):
    monkeypatch.setattr(store, "PLANS_KEPT", 2)
    make_scored("press", make_model(), HIGH)
    made = [make_plan(NOW + timedelta(minutes=minute)) for minute in range(4)]
    assert plan()[1]["id"] == made[-1].id
    assert session.scalars(select(Plan.id).order_by(Plan.id)).all() == [made[2].id, made[3].id]
    assert session.scalar(select(func.count()).select_from(PlanItem)) == 2


def test_an_empty_fleet_has_an_empty_plan(make_plan, plan):
    make_plan(NOW)
    _, body = plan()
    assert (body["items"], body["left_out"], body["totals"]["saving"]) == ([], [], None)
    assert (body["cost"], body["bound"], body["gap"]) == (0, 0, 0)


def test_a_repair_is_not_counted_as_a_planned_service(session, make_machine, make_event):
    press, fan = make_machine("press", installed_at=NOW - timedelta(days=5)), make_machine("fan")
    start = NOW - timedelta(days=10)
    make_event(press, "failure", started_at=start)
    make_event(press, "service", started_at=start, code="corrective")
    make_event(fan, "service", started_at=start, code="preventive")
    make_event(fan, "service", started_at=start, code="corrective", component="rotor")
    make_event(fan, "service", started_at=NOW - timedelta(days=8), code="inspection")
    make_event(fan, "failure", started_at=NOW)
    make_event(fan, "failure", started_at=NOW - timedelta(days=400))
    lived = store.lived(session, NOW)
    assert (lived.failures, lived.services, lived.machine_hours) == (1, 1, 15 * 24)


def test_a_repair_that_begins_while_the_machine_is_down_is_no_planned_service(session, make_machine, make_event):
    press = make_machine("press", installed_at=NOW - timedelta(days=50))
    start, hour = NOW - timedelta(days=10), timedelta(hours=1)
    make_event(press, "failure", started_at=start, ended_at=start + 9 * hour)
    make_event(press, "service", started_at=start + hour, code="corrective", component="rotor")
    make_event(press, "service", started_at=start + 10 * hour, code="preventive")
    make_event(make_machine("fan"), "service", started_at=start + 2 * hour, code="preventive")
    lived = store.lived(session, NOW)
    assert (lived.failures, lived.services) == (1, 2)


def test_a_machine_renewed_lately_waits_until_its_risk_speaks_of_it(
    make_plan, plan, make_model, make_scored, make_event
):
    model = make_model()
    for key, days, component in (("new", 2, None), ("older", 8, None), ("one part", 2, "rotor")):
        machine = make_scored(key, model, HIGH)
        make_event(
            machine, "service", started_at=NOW - timedelta(days=days), code="preventive", component=component
        )
    make_plan(NOW)
    _, body = plan()
    assert sorted(keys(body["items"])) == ["older", "one part"]
    assert "renewed lately" in body["left_out"][0]["reason"]


def test_a_renewed_machine_waits_as_long_as_features_look_back():
    assert max(WINDOWS) == LONGEST_WINDOW


def test_an_odd_bucket_of_costs_is_planned_without_failing(make_plan, plan, make_model, make_scored):
    make_scored("press", make_model(), HIGH, failure_cost=1e308, preventive_cost=0)
    make_plan(NOW)
    status, body = plan()
    assert (status, keys(body["items"])) == (200, ["press"])


@pytest.mark.parametrize(
    "query", ["site=%00", "line=%0A", "limit=0", "limit=1e9", "offset=-1", "offset=" + "9" * 30]
)
def test_a_question_that_cannot_be_is_refused(plan, query):
    assert plan(f"?{query}")[0] == 422


def test_machines_that_were_taken_away_count_for_the_hours_they_ran(session, make_machine, make_event):
    gone = make_machine("gone", decommissioned_at=NOW - timedelta(days=4))
    make_machine("going", decommissioned_at=NOW + timedelta(days=4))
    make_machine("long gone", decommissioned_at=NOW - timedelta(days=90))
    make_event(gone, "failure", started_at=NOW - timedelta(days=10))
    lived = store.lived(session, NOW)
    assert (lived.failures, lived.machine_hours) == (1, (6 + 10) * 24)


def test_without_any_crew_a_plan_is_made_and_says_what_it_assumed(make_plan, plan, make_model, make_scored):
    make_scored("press", make_model(), HIGH)
    make_plan(NOW)
    _, body = plan()
    assert keys(body["items"]) == ["press"]
    assert body["assumptions"] == [
        "No crew is described: one is assumed, Monday to Friday from 8:00 to 16:00 UTC, that can do everything.",
        "What a service needs is not said of 1 of 1 machines: 4 h are assumed.",
        "What a failure or a service costs is not said of 1 of 1 machines: see their reasons.",
    ]


def test_a_crew_works_on_one_machine_at_a_time_and_within_its_hours(make_plan, plan, make_model, make_scored):
    model = make_model()
    for number in range(7):
        make_scored(f"fan-{number}", model, HIGH)
    make_plan(NOW)
    _, body = plan()
    spans = sorted((each["start"], each["end"]) for each in body["items"])
    assert len(spans) == 7
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(start[10:13] >= "T08" and end[11:16] <= "16:00" for start, end in spans)


def test_a_service_stays_where_it_was_proposed(make_plan, plan, make_model, make_scored):
    make_scored("press", make_model(), RISING)
    make_plan(NOW)
    first = plan()[1]["items"][0]
    make_plan(NOW + timedelta(minutes=30))
    assert plan()[1]["items"][0]["window"] == first["window"]
