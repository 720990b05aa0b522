"""What plans keep to, over HTTP: kept as it was written, refused with one sentence, and planned with."""

from datetime import timedelta

import pytest
from factories import at
from sqlalchemy import select, update

from app.clock import utc_now
from app.fleet.tables import Event
from app.planning.store import plan_due, recorded_repair_hours, totals
from app.planning.tables import Plan, PlanItem
from app.risk.tables import Prediction
from app.security.policy import Role
from app.security.tables import AuditEntry

NOW = at("2026-11-24 08:30")
HIGH = [0.4, 0.6, 0.8, 0.9, 0.95]
DAY = {"mon": ["08:00-16:00"], "tue": ["08:00-16:00"], "wed": ["08:00-16:00"]}
CREW = {"key": "A", "site": None, "skills": ["mechanical"], "hours": DAY, "time_zone": "Europe/Berlin"}
WINDOW = {
    "key": "stop",
    "lines": ["L1"],
    "starts_at": "2026-11-28T06:00:00Z",
    "ends_at": "2026-11-28T18:00:00Z",
    "loss_share": 0.0,
}


@pytest.fixture
def change(client, key_for):
    """Answers (status, body) of a change; machines on L1 are there."""
    client.app.dependency_overrides[utc_now] = lambda: NOW
    headers = key_for(Role.PLANNER)

    def send(**lists):
        answer = client.patch("/api/v1/plan/resources", json=lists, headers=headers)
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def on_line(make_machine, make_reading, make_prediction, make_model):
    model = make_model()

    def make(key, line="L1", **columns):
        machine = make_machine(key, line=line, **columns)
        make_reading(machine, NOW, temperature_c=60)
        make_prediction(machine, model, NOW - timedelta(minutes=30), probabilities=HIGH)
        return machine

    return make


@pytest.fixture
def planned(client, key_for, make_plan):
    headers = key_for(Role.OPERATOR)

    def get():
        make_plan(NOW)
        return client.get("/api/v1/plan", headers=headers).json()

    return get


def test_lists_that_are_named_are_replaced_and_others_stay(client, key_for, change, on_line):
    on_line("press")
    assert change(crews=[CREW], windows=[WINDOW])[0] == 200
    parts = [{"key": "bearing", "stock": 2, "lead_time_days": 14.0}]
    status, body = change(parts=parts, crews=[CREW | {"key": "B"}])
    assert status == 200
    read = client.get("/api/v1/plan/resources", headers=key_for(Role.OPERATOR)).json()
    assert read == body
    assert [each["key"] for each in read["crews"]] == ["B"]
    assert (read["windows"], read["parts"]) == ([WINDOW], parts)
    assert read["crews"][0]["hours"] == {day: DAY.get(day, []) for day in read["crews"][0]["hours"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"crews": [CREW | {"hours": {}}]}, "Crew A has no hours."),
        ({"crews": [CREW, CREW]}, "The crew A comes twice."),
        ({"windows": [WINDOW | {"lines": ["L9"]}]}, "No machine stands on the line L9."),
        (
            {"windows": [WINDOW | {"starts_at": "2026-11-20T06:00:00Z", "ends_at": "2026-11-21T06:00:00Z"}]},
            "is over.",
        ),
        ({"windows": [WINDOW | {"ends_at": WINDOW["starts_at"]}]}, "ends before it starts."),
        ({"windows": [WINDOW | {"key": "day 2026-11-28"}]}, "must not begin with `day`"),
        ({"windows": [WINDOW | {"key": "work order 12"}]}, "must not begin with `work order`"),
        ({"lines": [{"line": "L9", "most_down": 1}]}, "No machine stands on the line L9."),
        ({"services": [{"hours": 2.0, "parts": {"seal": 1}}]}, "needs the part seal, and there is none"),
        ({"services": [{"hours": 2.0, "setup": "crane"}]}, "needs the set-up crane, and there is none"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_loses_nothing(change, on_line, given, said):
    on_line("press")
    change(crews=[CREW | {"key": "kept"}])
    status, body = change(**given)
    assert status == 422
    assert said in body["detail"]
    assert [each["key"] for each in change()[1]["crews"]] == ["kept"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"services": [{"hours": -2.0}]}, "greater than 0"),
        ({"crews": [CREW | {"hours": {"mon": ["8-16"]}}]}, "must be hours of a day like 07:00-15:00"),
        ({"crews": [CREW | {"hours": {"mon": ["-08:00-16:00"]}}]}, "must be hours of a day"),
        ({"crews": [CREW | {"time_zone": "Europe/Atlantis"}]}, "must be a time zone like Europe/Berlin"),
        ({"crews": [CREW | {"time_zone": "../../etc/passwd"}]}, "must be a time zone like Europe/Berlin"),
        ({"parts": [{"key": "seal", "stock": -1, "lead_time_days": 1.0}]}, "greater than or equal to 0"),
        ({"crews": None}, "list"),
        ({"crew": []}, "not permitted"),
    ],
)
def test_what_is_no_amount_hour_or_zone_is_refused_where_it_stands(change, given, said):
    status, body = change(**given)
    assert status == 422
    assert said in str(body["errors"])


def test_only_planners_change_what_plans_keep_to_and_the_audit_names_it(client, key_for, change, session):
    answer = client.patch("/api/v1/plan/resources", json={"crews": [CREW]}, headers=key_for(Role.OPERATOR))
    assert answer.status_code == 403
    change(crews=[CREW])
    entry = session.query(AuditEntry).filter_by(action="change plan resources").one()
    assert entry.subject == "crews"
    assert entry.detail["crews"][0]["key"] == "A"


def test_a_change_makes_the_plan_outdated_until_the_next_is_made(change, on_line, planned, client, key_for):
    on_line("press")
    assert planned()["outdated"] is False
    change(crews=[CREW])
    assert client.get("/api/v1/plan", headers=key_for(Role.OPERATOR)).json()["outdated"] is True
    assert planned()["outdated"] is False


def test_crews_work_by_the_clock_on_their_wall(change, on_line, planned):
    on_line("press")
    on_line("late")
    change(crews=[CREW | {"hours": {"wed": ["07:00-15:00"]}}])
    assert [each["start"] for each in planned()["items"]] == ["2026-11-25T06:00:00Z", "2026-11-25T10:00:00Z"]


def test_a_line_stands_in_its_windows_only_unless_it_is_said_otherwise(change, on_line, planned):
    on_line("press")
    on_line("fan", line="L2")
    everyday = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    change(crews=[CREW | {"hours": everyday}], windows=[WINDOW])
    windows = {each["machine"]: each["window"] for each in planned()["items"]}
    assert windows == {"press": "stop", "fan": "day 2026-11-24"}
    change(lines=[{"line": "L1", "outside_windows": True}])
    assert {each["window"] for each in planned()["items"]} == {"day 2026-11-24"}


def test_no_more_machines_of_a_line_are_down_at_once_than_may_be(change, on_line, planned):
    for number in range(3):
        on_line(f"press-{number}")
    change(lines=[{"line": "L1", "most_down": 1}], services=[{"hours": 1.0}])
    assert len({each["window"] for each in planned()["items"]}) == 3


def test_a_service_waits_for_the_skill_the_part_and_the_site_that_it_needs(change, on_line, planned):
    on_line("press", site="north", asset_class="press")
    on_line("fan", site="south", asset_class="fan")
    change(
        crews=[CREW | {"site": "north"}],
        parts=[{"key": "seal", "stock": 0, "lead_time_days": 7.0}],
        services=[{"asset_class": "press", "hours": 2.0, "skill": "mechanical", "parts": {"seal": 1}}],
    )
    body = planned()
    assert [(each["machine"], each["window"]) for each in body["items"]] == [("press", "day 2026-12-02")]
    assert "no crew works in south" in body["left_out"][0]["reason"]


def test_a_failure_costs_the_production_of_its_repair_where_that_is_known(change, on_line, planned):
    on_line("press", downtime_cost_per_hour=1000, failure_cost=5000)
    change(services=[{"hours": 2.0, "repair_hours": 10.0}])
    assert "A failure costs €15,000" in planned()["items"][0]["reason"]


def test_a_machine_without_costs_takes_its_classs_and_the_plan_says_so(change, on_line, planned):
    on_line("press", asset_class="press")
    change(services=[{"asset_class": "press", "hours": 2.0, "failure_cost": 7000.0, "preventive_cost": 100.0}])
    body = planned()
    reason = body["items"][0]["reason"]
    assert "A failure costs €7,000, a service €100." in reason
    assert "Taken from its class: the cost of a service, the cost of a failure." in reason
    said = "What a failure or a service costs is not said of 1 of 1 machines: see their reasons."
    assert said in body["assumptions"]


def test_a_repair_takes_as_long_as_recorded_failures_of_its_class_did(
    change, on_line, planned, make_machine, session
):
    press = on_line("press", asset_class="press", downtime_cost_per_hour=1000, failure_cost=5000)
    fan = make_machine("fan", asset_class="fan")
    for machine, hours, number in ((press, 6, 3), (fan, 2, 3), (fan, 99, 0)):
        for day in range(1, number + 1):
            start = NOW - timedelta(days=30 * day)
            told = {"kind": "failure", "started_at": start, "ended_at": start + timedelta(hours=hours)}
            session.add_all([Event(machine_id=machine.id, code=code, **told) for code in ("VIB", "OHE")])
    session.flush()
    reasons = {each["machine"]: each["reason"] for each in planned()["items"]}
    assert "A failure costs €11,000" in reasons["press"]
    assert "Taken from recorded failures: the hours of a repair." in reasons["press"]
    assert recorded_repair_hours(session, NOW) == {"press": 6.0, "fan": 2.0, None: 4.0}


def test_a_window_that_is_over_is_not_listed_and_in_nobodys_way(change, on_line, session, client, key_for):
    on_line("press")
    change(windows=[WINDOW])
    client.app.dependency_overrides[utc_now] = lambda: NOW + timedelta(days=30)
    assert client.get("/api/v1/plan/resources", headers=key_for(Role.OPERATOR)).json()["windows"] == []
    assert change(crews=[CREW])[0] == 200


def test_who_changes_what_somebody_changed_since_they_read_it_is_told(client, key_for, change, on_line):
    url, headers = "/api/v1/plan/resources", key_for(Role.PLANNER)
    change(crews=[CREW])
    read = client.get(url, headers=headers).headers["ETag"]
    given = {"crews": [CREW, CREW | {"key": "B"}]}
    assert client.patch(url, json=given, headers=headers | {"If-Match": read}).status_code == 200
    late = client.patch(url, json={"crews": [CREW]}, headers=headers | {"If-Match": read})
    assert late.status_code == 409
    assert "Read it again" in late.json()["detail"]
    assert len(client.get(url, headers=headers).json()["crews"]) == 2


def test_a_line_that_lost_its_last_machine_is_in_the_way_of_its_own_list_only(change, on_line, session):
    press = on_line("press")
    assert change(lines=[{"line": "L1", "most_down": 1}])[0] == 200
    press.line = "L2"
    session.flush()
    assert change(crews=[CREW])[0] == 200
    status, body = change(lines=[{"line": "L1", "most_down": 2}])
    assert (status, body["detail"]) == (422, "No machine stands on the line L1.")


def test_totals_say_of_how_many_services_no_cost_is_known(on_line, planned, make_plan, session):
    on_line("press")
    assert planned()["totals"]["unpriced"] == 0
    session.execute(update(PlanItem).values(cost_now=None, cost_if_waiting=None))
    plan = session.scalars(select(Plan).order_by(Plan.id.desc()).limit(1)).one()
    found = totals(session, plan, None, None)
    assert (found.services, found.unpriced, found.cost_now) == (1, 1, None)


def test_a_plan_is_due_once_something_was_scored_since_it_was_begun(on_line, planned, session):
    assert plan_due(session)
    on_line("press")
    planned()
    session.execute(update(Prediction).values(scored_at=NOW - timedelta(minutes=1)))
    assert not plan_due(session)
    session.execute(update(Prediction).values(scored_at=NOW + timedelta(minutes=1)))
    assert plan_due(session)


@pytest.mark.parametrize("changed", ["crew", "deferral"])
def test_a_plan_made_from_what_was_changed_meanwhile_is_outdated(
    change, on_line, session, settings, client, key_for, changed
):
    from app.planning.actions import fleet_to_plan, keep
    from ml.planning.scheduler import without_search

    on_line("press")
    fleet = fleet_to_plan(session, settings, NOW, {})
    asked = fleet.asked()
    if changed == "crew":
        change(crews=[CREW])
    else:
        given = {"machine": "press", "until": (NOW + timedelta(days=2)).isoformat(), "why": "No seal."}
        answer = client.post("/api/v1/plan/deferrals", json=given, headers=key_for(Role.PLANNER))
        assert answer.status_code == 201
    keep(session, fleet, asked, without_search(asked.problem), dict)
    assert session.scalars(update(Plan).values(as_of=Plan.as_of).returning(Plan.outdated)).all() == [True]
