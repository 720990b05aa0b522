"""Machines and events over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.fleet.tables import Event, Machine
from app.security.policy import Role
from app.security.tables import AuditEntry

PRESS = {"key": "press-07", "name": "Press 7", "site": "Linz", "line": "A", "rated_current_a": 31.5}
FAILURE = {"kind": "failure", "code": "VIB", "component": "bearing", "started_at": "2026-11-20T08:00:00Z"}


@pytest.fixture
def press(client, planner):
    assert client.post("/api/v1/machines", json=PRESS, headers=planner).status_code == 201


def test_a_machine_is_added_read_and_found(client, planner, operator, press):
    stored = client.get("/api/v1/machines/press-07", headers=operator).json()
    assert {name: stored[name] for name in PRESS} == PRESS
    assert stored["configured"] is True
    client.post("/api/v1/machines", json={"key": "pump_1", "site": "Graz"}, headers=planner)
    for query, keys in (
        ("", ["press-07", "pump_1"]),
        ("?site=Graz", ["pump_1"]),
        ("?line=A", ["press-07"]),
        ("?q=PRESS", ["press-07"]),
        ("?q=_", ["pump_1"]),
        ("?q=%25", []),
        ("?limit=1&offset=1", ["pump_1"]),
    ):
        found = client.get(f"/api/v1/machines{query}", headers=operator).json()
        assert [machine["key"] for machine in found["machines"]] == keys, query
    assert found["total"] == 2


def test_a_taken_key_is_a_conflict(client, planner, press):
    assert client.post("/api/v1/machines", json=PRESS, headers=planner).status_code == 409


def test_an_unknown_machine_is_named_in_a_sentence(client, planner):
    for path in ("/api/v1/machines/ghost", "/api/v1/machines/ghost/events"):
        answer = client.get(path, headers=planner)
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no machine ghost.")
    assert client.post("/api/v1/machines/ghost/events", json=FAILURE, headers=planner).status_code == 404
    assert client.patch("/api/v1/machines/ghost", json={}, headers=planner).status_code == 404


def test_patch_changes_what_is_named_and_put_empties_the_rest(client, planner, press):
    patched = client.patch("/api/v1/machines/press-07", json={"line": "B", "name": None}, headers=planner).json()
    assert (patched["line"], patched["name"], patched["site"]) == ("B", None, "Linz")
    put = client.put("/api/v1/machines/press-07", json={"site": "Graz"}, headers=planner)
    assert (put.status_code, put.json()["site"], put.json()["line"]) == (200, "Graz", None)
    assert client.put("/api/v1/machines/new-1", json={"site": "Graz"}, headers=planner).status_code == 201


def test_naming_a_machine_that_a_sensor_registered_configures_it(client, planner, make_machine):
    make_machine("fan-1", configured=False)
    assert client.patch("/api/v1/machines/fan-1", json={"site": "Linz"}, headers=planner).json()["configured"]


def test_changes_are_audited_with_who_did_them(client, planner, press, session):
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "add machine")).one()
    assert entry.subject == "press-07"
    assert entry.actor.startswith("key planner")
    assert entry.detail["site"] == "Linz"


def test_an_event_told_again_is_one_row_and_the_same_answer(client, operator, press, session):
    first = client.post("/api/v1/machines/press-07/events", json=FAILURE, headers=operator)
    again = client.post("/api/v1/machines/press-07/events", json=FAILURE, headers=operator)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert session.scalar(select(func.count()).select_from(Event)) == 1


def test_an_end_told_later_is_filled_in_and_another_end_is_a_conflict(client, operator, press):
    url = "/api/v1/machines/press-07/events"
    client.post(url, json=FAILURE, headers=operator)
    ended = client.post(url, json={**FAILURE, "ended_at": "2026-11-20T11:00:00Z"}, headers=operator)
    assert ended.json()["ended_at"] == "2026-11-20T11:00:00Z"
    other = client.post(url, json={**FAILURE, "ended_at": "2026-11-20T12:00:00Z"}, headers=operator)
    assert other.status_code == 409


def test_an_event_that_is_refused_changes_nothing_even_where_its_answer_is_a_page(
    client, sign_in, operator, press, session
):
    client.post("/api/v1/machines/press-07/events", json={**FAILURE, "note": "seized"}, headers=operator)
    form = {"started_at": FAILURE["started_at"][:16], "ended_at": "2026-11-20T11:00", "note": "another"}
    form |= {name: FAILURE.get(name, "") for name in ("kind", "code", "component")}
    refused = client.post("/machines/press-07/events", data=form, headers=sign_in(Role.OPERATOR))
    assert refused.status_code == 409
    session.expire_all()
    assert session.scalars(select(Event)).one().ended_at is None


def test_events_are_listed_newest_first_and_by_kind(client, operator, press):
    url = "/api/v1/machines/press-07/events"
    service = {"kind": "service", "code": "preventive", "started_at": "2026-11-19T08:00:00+02:00"}
    for event in (service, FAILURE):
        assert client.post(url, json=event, headers=operator).status_code == 201
    assert [event["kind"] for event in client.get(url, headers=operator).json()["events"]] == ["failure", "service"]
    only = client.get(f"{url}?kind=service", headers=operator).json()
    assert (only["total"], only["events"][0]["started_at"]) == (1, "2026-11-19T06:00:00Z")


def test_a_decommissioning_takes_the_machine_out_of_use_from_its_first_time_on(client, operator, press, session):
    for day in ("2026-11-18", "2026-11-10"):
        event = {"kind": "decommission", "started_at": f"{day}T00:00:00Z"}
        client.post("/api/v1/machines/press-07/events", json=event, headers=operator)
    machine = session.scalars(select(Machine)).one()
    session.refresh(machine)
    assert machine.decommissioned_at == datetime(2026, 11, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"started_at": "2026-11-20T08:00:00"}, "timezone"),
        ({"started_at": 1_700_000_000}, "must be a time"),
        ({"started_at": "9999-12-31T23:59:59-14:00"}, "between the years"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "between the years"),
        ({"started_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "future"),
        ({"ended_at": "2026-11-20T07:00:00Z"}, "before started_at"),
        ({"code": "WORN"}, "failure-modes"),
        ({"kind": "service"}, "preventive, corrective, replacement, inspection"),
        ({"kind": "fault_code", "code": None}, "needs its code"),
        ({"kind": "party"}, "failure"),
        ({"surprise": 1}, "surprise"),
        ({"component": "bear\x00ing"}, "U+0000"),
        ({"note": "x" * 4001}, "4000"),
    ],
)
def test_an_event_that_cannot_be_so_is_refused_with_the_reason(client, operator, press, change, word):
    answer = client.post("/api/v1/machines/press-07/events", json={**FAILURE, **change}, headers=operator)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


def test_failure_modes_list_iso_14224_and_what_history_uses(client, operator, press, session, make_event):
    make_event(session.scalars(select(Machine)).one(), code="comp2", started_at=datetime(2026, 1, 1, tzinfo=UTC))
    modes = client.get("/api/v1/failure-modes", headers=operator).json()["failure_modes"]
    assert {"code": "VIB", "words": "vibration", "declared": True} in modes
    assert modes[-1] == {"code": "comp2", "words": "comp2", "declared": False}
    event = {**FAILURE, "code": "comp2"}
    assert client.post("/api/v1/machines/press-07/events", json=event, headers=operator).status_code == 201


def test_reading_needs_an_operator_and_changing_a_machine_a_planner(client, key_for, press):
    sensor, operator = key_for(Role.SENSOR), key_for(Role.OPERATOR)
    assert client.get("/api/v1/machines", headers=sensor).status_code == 403
    assert client.get("/api/v1/machines").status_code == 401
    assert client.post("/api/v1/machines", json={"key": "x"}, headers=operator).status_code == 403
