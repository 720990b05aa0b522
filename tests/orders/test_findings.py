"""What a work order found is what training learns from; corrected with a trace, never in silence."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from factories import at
from histories import history_of, moments_at, time_at
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from app.fleet.components import COMPONENTS, SUBUNITS
from app.fleet.failure_modes import ISO_14224
from app.fleet.tables import Event, Machine, WithdrawnEvent
from app.orders.finding_rule import FAULTS, OUTCOME_WORDS, Finding, Outcome, events_of, fault_of_finding
from app.orders.tables import OUTCOMES, WorkFinding
from app.planning import store as planning_store
from app.security.tables import AuditEntry
from ml.dataset import EVENT_COLUMNS, read_plant
from ml.features.builder import build
from ml.features.catalogue import catalogue
from ml.jobs.due import there_is
from ml.labels import label

from .conftest import URL

FAULT = {"outcome": "fault_found", "mode": "VIB", "component": "radial bearing"}
HORIZONS = (24.0, 72.0, 168.0)
# The machine is heard of long after everything below, so nothing is cut off by the end of its data.
LONG = [(0, hour, 1.0) for hour in range(1000)]
WORK = {"started_at": time_at(150).isoformat(), "ended_at": time_at(153).isoformat()}


@pytest.fixture
def begun(order, taken):
    """An order on which work is in progress."""

    def make(machine="press-07", **given):
        return taken(taken(order(machine, **given), "accept"), "start")

    return make


@pytest.fixture
def events(session):
    """What is recorded of the machine: (kind, code, component, hours after time_at(0))."""

    def stored():
        rows = session.execute(
            select(Event.kind, Event.code, Event.component, Event.started_at).order_by(Event.kind, Event.code)
        )
        return [(*row[:3], round((row[3] - time_at(0)).total_seconds() / 3600)) for row in rows]

    return stored


@pytest.fixture
def learnt(session, settings):
    """The machine's history as training reads it, with readings every hour."""

    def load():
        session.expire_all()
        stored = read_plant(session, settings).events.assign(machine=0)[EVENT_COLUMNS]
        by = ["started_at", "kind", "code", "component"]
        return history_of(LONG, stored.sort_values(by, na_position="first", ignore_index=True))

    return load


def seen_from(history, hour):
    return label(history, moments_at((0, hour)), HORIZONS, ("VIB", "other"))


def test_a_fault_found_in_time_censors_and_is_no_failure(begun, taken, events, learnt):
    taken(begun(), "done", **FAULT, **WORK)
    assert events() == [
        ("service", "corrective", "radial bearing", 150),
        ("service", "preventive", None, 150),
    ]
    found = seen_from(learnt(), 100)
    assert found.interval[0] == 3
    assert found.exposure[0].tolist() == [1, (50 - 24) / 48, 0]
    assert np.isnan(found.hours_to_failure[0])


def test_a_machine_that_had_failed_is_a_failure_of_its_mode_at_its_time(begun, taken, events, learnt):
    taken(begun(), "done", **FAULT | {"outcome": "failed"}, failed_at=time_at(140).isoformat(), **WORK)
    assert events() == [
        ("failure", "VIB", "radial bearing", 140),
        ("service", "corrective", "radial bearing", 140),
    ]
    found = seen_from(learnt(), 100)
    assert (found.interval[0], found.mode[0], found.hours_to_failure[0]) == (1, 0, 40)


@pytest.mark.parametrize("outcome", ["nothing_wrong", "sensor_fault"])
def test_a_false_alarm_leaves_the_machine_a_survivor_with_its_features(begun, taken, events, learnt, outcome):
    taken(begun(), "done", outcome=outcome, **WORK)
    assert events() == [("service", "inspection", None, 150)]
    history = learnt()
    assert seen_from(history, 100).exposure[0].all()
    assert seen_from(history, 100).interval[0] == 3
    assert np.isnan(since_service(history, 160))


@pytest.mark.parametrize(
    ("component", "censored"), [(None, True), ("radial bearing", False)], ids=["whole machine", "one component"]
)
def test_a_routine_service_resets_features_and_censors_only_where_it_renews_the_machine(
    begun, taken, learnt, component, censored
):
    taken(begun(), "done", outcome="routine", component=component, **WORK)
    history = learnt()
    assert since_service(history, 160) == 10
    assert seen_from(history, 100).exposure[0].all() == (not censored)


def test_a_fault_found_resets_the_features_of_the_machine_and_of_the_component(begun, taken, learnt):
    taken(begun(), "done", **FAULT, **WORK)
    history = learnt()
    assert since_service(history, 160) == 10
    assert since_service(history, 160, "component.radial bearing.since_service") == 10


def since_service(history, hour, name="since_service"):
    features = catalogue(history.channels, (), ("radial bearing",))
    built = build(history, moments_at((0, hour)), features)
    return built.values[0, built.names.index(name)]


def test_a_visit_counts_once_in_the_plans_rates_and_looking_does_not(session, begun, taken, now):
    taken(begun("press-01"), "done", **FAULT)
    taken(begun("press-02"), "done", outcome="nothing_wrong")
    failed_at = (now - timedelta(hours=5)).isoformat()
    taken(begun("press-03"), "done", **FAULT | {"outcome": "failed"}, failed_at=failed_at)
    lived = planning_store.lived(session, now + timedelta(hours=1))
    assert (lived.failures, lived.services) == (1, 1)


def test_a_failure_that_was_over_before_the_work_was_ordered_is_not_the_one_repaired(
    client, operator, begun, step, now
):
    started, long_ago = begun(), now - timedelta(days=300)
    times = {"started_at": long_ago.isoformat(), "ended_at": (long_ago + timedelta(hours=5)).isoformat()}
    failure = {"kind": "failure", "code": "VIB"} | times
    answer = client.post("/api/v1/machines/press-07/events", json=failure, headers=operator)
    assert answer.status_code == 201, answer.text
    status, told = step(started, "done", **FAULT | {"outcome": "failed"})
    assert status == 422
    assert "failed" in told["detail"]


def test_the_failure_that_operators_recorded_is_the_one_repaired(
    client, operator, session, begun, taken, events, now
):
    started = begun()
    failed_at = (now - timedelta(hours=2)).replace(minute=0, second=0)
    failure = {"kind": "failure", "code": "VIB", "component": "radial bearing", "note": "It screamed."}
    url = "/api/v1/machines/press-07/events"
    client.post(url, json=failure | {"started_at": failed_at.isoformat()}, headers=operator)
    done = taken(started, "done", **FAULT | {"outcome": "failed"})
    assert done["findings"][0]["failed_at"] == failed_at.isoformat().replace("+00:00", "Z")
    assert [each[:3] for each in events()] == [
        ("failure", "VIB", "radial bearing"),
        ("service", "corrective", "radial bearing"),
    ]
    recorded = session.scalars(select(Event).where(Event.kind == "failure")).one()
    session.refresh(recorded)
    assert recorded.note == "It screamed."
    assert recorded.ended_at is not None
    taken(done, "correct", outcome="routine", why="It had not failed at all.")
    assert [each[0] for each in events()] == ["failure", "service"], "only the operator takes the failure back"


def test_without_a_recorded_failure_somebody_must_say_when(session, step, begun, make_event):
    started = begun()
    machine = session.scalars(select(Machine)).one()
    make_event(machine, "failure", started_at=at("2026-11-01 00:00"), code="VIB")
    make_event(machine, "service", started_at=at("2026-11-01 00:00"), code="corrective")
    status, answer = step(started, "done", **FAULT | {"outcome": "failed"})
    assert status == 422
    assert answer["detail"] == "Say when the machine failed: no failure is recorded since its last service."


def test_a_correction_takes_back_the_events_and_keeps_the_old_finding_with_who_and_why(
    client, operator, session, begun, taken, events, learnt
):
    done = taken(begun(), "done", **FAULT, note="Inner race.", **WORK)
    corrected = taken(done, "correct", outcome="nothing_wrong", why="Wrong machine.")
    assert events() == [("service", "inspection", None, 150)]
    assert seen_from(learnt(), 100).exposure[0].all()
    assert [each["outcome"] for each in corrected["findings"]] == ["fault_found", "nothing_wrong"]
    assert corrected["findings"][0]["note"] == "Inner race."
    last = corrected["history"][-1]
    assert (last["from_state"], last["to_state"], last["why"]) == ("done", "done", "Wrong machine.")
    assert len(last["detail"]["withdrawn"]) == 2
    withdrawn = session.scalars(select(WithdrawnEvent).order_by(WithdrawnEvent.code)).all()
    assert [(each.code, each.component) for each in withdrawn] == [
        ("corrective", "radial bearing"),
        ("preventive", None),
    ]
    assert all(each.withdrawn_by.startswith("key planner") and "Wrong machine" in each.why for each in withdrawn)
    assert session.scalar(select(func.count(AuditEntry.id)).where(AuditEntry.action == "withdraw event")) == 2


def test_a_correction_may_be_corrected(session, begun, taken, events):
    done = taken(begun(), "done", outcome="nothing_wrong", **WORK)
    again = taken(done, "correct", **FAULT, why="Looked again.")
    failed_at = time_at(145).isoformat()
    third = taken(again, "correct", **FAULT | {"outcome": "failed"}, failed_at=failed_at, why="It stood still.")
    assert [each[:2] for each in events()] == [("failure", "VIB"), ("service", "corrective")]
    fourth = taken(third, "correct", **FAULT | {"outcome": "failed", "mode": "OHE"}, why="It was heat.")
    assert fourth["findings"][-1]["failed_at"] == third["findings"][-1]["failed_at"]
    assert [each[:2] for each in events()] == [("failure", "OHE"), ("service", "corrective")]
    assert session.scalar(select(func.count(WithdrawnEvent.id))) == 5


def test_a_refused_correction_leaves_everything_as_it_was(client, operator, begun, taken, step, events):
    done = taken(begun(), "done", **FAULT, **WORK)
    before = (events(), client.get(f"{URL}/{done['id']}", headers=operator).json())
    assert step(done, "correct", outcome="failed", why="x")[0] == 422
    assert step(done, "correct", outcome="nothing_wrong")[0] == 422
    assert step({**done, "version": 1}, "correct", outcome="nothing_wrong", why="x")[0] == 409
    assert (events(), client.get(f"{URL}/{done['id']}", headers=operator).json()) == before


def test_what_has_no_finding_cannot_be_corrected(begun, step, operator):
    started = begun()
    assert step(started, "correct", outcome="routine", why="x")[0] == 409
    assert step(started, "done", headers=operator, outcome="routine")[0] == 403
    assert step(started, "correct", headers=operator, outcome="routine", why="x")[0] == 403


def test_done_needs_work_in_progress(order, step, events):
    status, answer = step(order(), "done", outcome="routine")
    assert (status, events()) == (409, [])
    assert "only accepted or cancelled can follow" in answer["detail"]


def test_scoring_hears_of_a_correction_even_where_as_many_events_are_there(session, begun, taken):
    done = taken(begun(), "done", outcome="nothing_wrong", **WORK)
    before = there_is(session)
    taken(done, "correct", outcome="sensor_fault", why="The cable was loose.")
    assert there_is(session).events > before.events


def test_findings_and_withdrawn_events_can_neither_be_changed_nor_deleted(session, begun, taken):
    taken(taken(begun(), "done", **FAULT), "correct", outcome="routine", why="x")
    for table in (WorkFinding, WithdrawnEvent):
        with pytest.raises(IntegrityError, match="never changed"), session.begin_nested():
            session.execute(delete(table))


def test_times_are_those_of_the_work_unless_said_otherwise(begun, taken, now):
    started = begun()
    done = taken(started, "done", outcome="routine")
    assert done["findings"][0]["started_at"] == done["started_at"] == started["started_at"]
    assert done["ended_at"] >= done["started_at"]


BEGAN = at("2026-11-20 08:00")
GOOD = {"started_at": BEGAN, "ended_at": BEGAN + timedelta(hours=1), "mode": "VIB", "component": "rotor"}


@pytest.mark.parametrize(
    ("outcome", "change", "word"),
    [
        ("fault_found", {"mode": None}, "failure mode and the component"),
        ("failed", {"component": None}, "failure mode and the component"),
        ("routine", {}, "A failure mode goes with"),
        ("nothing_wrong", {"mode": None}, "no component to name"),
        ("fault_found", {"mode": "WORN"}, "/api/v1/failure-modes"),
        ("fault_found", {"component": "flux capacitor"}, "/api/v1/components"),
        ("fault_found", {"failed_at": BEGAN}, "Only a machine that had failed"),
        ("failed", {}, "Say when"),
        ("failed", {"failed_at": BEGAN + timedelta(hours=2)}, "after the work had ended"),
        ("fault_found", {"ended_at": BEGAN - timedelta(hours=1)}, "before it began"),
        ("fault_found", {"ended_at": BEGAN + timedelta(days=9)}, "future"),
    ],
)
def test_a_finding_that_cannot_be_so_is_refused_with_the_reason(outcome, change, word):
    found = Finding(Outcome(outcome), **(GOOD | change))
    assert word in fault_of_finding(found, ISO_14224, SUBUNITS, BEGAN + timedelta(days=1))


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words_events_and_a_place_in_the_database(outcome):
    found = Finding(outcome, **GOOD, failed_at=BEGAN if outcome is Outcome.FAILED else None)
    assert OUTCOME_WORDS[outcome]
    assert f"'{outcome}'" in OUTCOMES
    told = events_of(found, "Work order 7")
    assert {event.kind for event in told} <= {"service", "failure"}
    assert any(event.kind == "failure" for event in told) == (outcome is Outcome.FAILED)
    assert (outcome in FAULTS) == any(event.component == "rotor" and event.code == "corrective" for event in told)


def test_components_are_iso_14224s_with_those_the_plant_has_used(client, operator, make_machine, make_event):
    make_event(make_machine("m", asset_class="pump"), "service", started_at=BEGAN, component="impeller")
    listed = client.get("/api/v1/components", headers=operator).json()["components"]
    assert listed[0] == {"component": "stator", "subunit": "electric motor"}
    assert listed[-1] == {"component": "impeller", "subunit": None}
    assert len(listed) == sum(map(len, COMPONENTS.values())) + 1 == len(SUBUNITS) + 1
    other = client.get("/api/v1/components?asset_class=fan", headers=operator).json()["components"]
    assert len(other) == len(SUBUNITS)
