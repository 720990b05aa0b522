"""The ledger over HTTP: who may read it, what narrows it, and that its sums are its list's."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from app.orders.tables import WorkOrder
from app.outcomes.tables import OutcomeRevision
from app.security.policy import Role

from .conftest import BEGIN, HOUR

URL = "/api/v1/outcomes"


@pytest.fixture
def add(session, champion):
    """One revision, written as it would be kept."""

    def added(machine, hours, outcome="hit", revision=1, **columns):
        given = {
            "subject": "failure" if outcome == "missed" else "warning",
            "reason": {"hit": "failed", "missed": "not_warned", "withdrawn": "taken_back"}.get(
                outcome, "horizon_over"
            ),
            "because": "So it was.",
            "model_id": champion.id,
            "asset_class": machine.asset_class,
            "lead_time_hours": float(hours) if outcome == "hit" else None,
            "preventive_cost": 700.0,
            "failure_cost": 5000.0,
            "saved": 0.0,
            "spent": 0.0,
            "lost": 0.0,
            "currency": "€",
        }
        row = OutcomeRevision(
            machine_id=machine.id, at=BEGIN + hours * HOUR, outcome=outcome, revision=revision, **given | columns
        )
        session.add(row)
        session.flush()
        return row

    return added


@pytest.fixture
def fleet(make_machine, make_model, add):
    """Two machines, two models, every outcome; one hit was corrected into a false warning."""
    pump = make_machine("pump-01", site="North", line="Cooling", asset_class="pump", name="=1+1")
    press = make_machine("press-01", site="South")
    retired = make_model("retired", kind="lstm")
    for hour in range(9):
        add(pump, hour, "hit", reason="fault_found" if hour % 2 else "failed", saved=4300.0 * (hour % 2))
    add(pump, 20, "hit")
    add(pump, 20, "false", revision=2, spent=100.0)
    add(pump, 30, "missed", lost=5000.0)
    add(press, 40, "false", model_id=retired.id, spent=700.0)
    add(press, 50, "unknown", model_id=None)
    add(press, 60, "open")
    add(press, 70, "withdrawn")
    return pump, press


def listed(client, headers, query=""):
    answer = client.get(URL + query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_is_newest_first_with_the_newest_revision_of_each(client, operator, fleet):
    answer = listed(client, operator)
    assert answer["total"] == len(answer["outcomes"]) == 14
    assert [each["outcome"] for each in answer["outcomes"][:5]] == ["open", "unknown", "false", "missed", "false"]
    corrected = answer["outcomes"][4]
    assert (corrected["machine"], corrected["revision"], corrected["model_kind"]) == ("pump-01", 2, "ensemble")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?outcome=hit", 9),
        ("?outcome=false&outcome=missed", 3),
        ("?outcome=withdrawn", 1),
        ("?machine=press-01", 3),
        ("?site=North", 11),
        ("?line=Cooling&outcome=missed", 1),
        ("?asset_class=pump", 11),
        ("?asset_class=fan", 0),
        ("?from=2026-10-02T00:00:00Z", 4),
        ("?to=2026-10-01T01:00:00Z", 1),
        ("?limit=3&offset=13", 1),
    ],
)
def test_the_list_is_narrowed(client, operator, fleet, query, count):
    answer = listed(client, operator, query)
    assert len(answer["outcomes"]) == count
    assert answer["total"] == (14 if "limit" in query else count)


@pytest.mark.parametrize(
    "query", ["", "?asset_class=pump", "?machine=press-01", "?to=2026-10-01T12:00:00Z", "?site=x"]
)
def test_the_sums_are_those_of_the_list(client, operator, fleet, query):
    rows = listed(client, operator, query + ("&" if query else "?") + "limit=1000")["outcomes"]
    summary = client.get(f"{URL}/summary{query}", headers=operator).json()
    counted = Counter(each["outcome"] for each in rows)
    names = ("hit", "false", "missed", "unknown", "open")
    assert {name: summary["whole"][name] for name in names} == {name: counted[name] for name in names}
    for name in names:
        assert sum(group[name] for group in summary["groups"]) == counted[name]
    for name in ("saved", "spent", "lost"):
        assert summary["whole"][name] == sum(each[name] for each in rows)
    by_group = Counter((each["model_id"], each["asset_class"]) for each in rows)
    assert {(group["model_id"], group["asset_class"]) for group in summary["groups"]} == set(by_group)


def test_the_summary_says_shares_lead_time_and_money_and_no_rate_of_few(client, operator, fleet):
    summary = client.get(f"{URL}/summary", headers=operator).json()
    whole = summary["whole"]
    assert (whole["precision"]["count"], whole["precision"]["of"]) == (9, 11)
    assert whole["precision"]["rate"] == pytest.approx(9 / 11)
    assert whole["precision"]["low"] < 9 / 11 < whole["precision"]["high"]
    assert (whole["recall"]["count"], whole["recall"]["of"], whole["found_in_time"]) == (5, 6, 4)
    assert (whole["lead_time_hours_median"], whole["net"], whole["lost"]) == (4, 4 * 4300 - 800, 5000)
    retired = next(group for group in summary["groups"] if group["model_kind"] == "lstm")
    assert retired["precision"] == {"count": 0, "of": 1, "rate": None, "low": None, "high": None}
    assert retired["lead_time_hours_median"] is None


def test_money_of_another_currency_is_counted_apart_and_not_added(client, operator, make_machine, add):
    machine = make_machine("pump-02")
    add(machine, 1, "missed", lost=5000.0)
    add(machine, 2, "missed", lost=50_000.0, currency="kr")
    whole = client.get(f"{URL}/summary", headers=operator).json()["whole"]
    assert (whole["missed"], whole["lost"], whole["other_currency"]) == (2, 5000, 1)


def test_an_empty_ledger_has_no_rates(client, operator):
    assert listed(client, operator) == {"outcomes": [], "total": 0}
    summary = client.get(f"{URL}/summary", headers=operator).json()
    assert (summary["whole"]["hit"], summary["whole"]["precision"]["rate"], summary["groups"]) == (0, None, [])


def test_one_outcome_shows_how_it_came_about(client, operator, fleet):
    newest = next(each for each in listed(client, operator)["outcomes"] if each["revision"] == 2)
    history = client.get(f"{URL}/{newest['id']}", headers=operator).json()
    assert history["machine"] == "pump-01"
    assert [(each["revision"], each["outcome"]) for each in history["revisions"]] == [(1, "hit"), (2, "false")]
    assert client.get(f"{URL}/999999999", headers=operator).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["?outcome=great", "?model=0", "?model=99999999999", "?from=yesterday", "?machine=%00", "?limit=0",
     "?from=2026-10-02T00:00:00Z&to=2026-10-01T00:00:00Z"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(client, operator, query):
    for path in ("", "/summary", ".csv"):
        if path != "/summary" or "limit" not in query:
            assert client.get(URL + path + query, headers=operator).status_code == 422


def test_the_table_is_safe_for_spreadsheets(client, operator, fleet):
    answer = client.get(f"{URL}.csv?outcome=missed", headers=operator)
    (row,) = csv.DictReader(answer.text.splitlines())
    assert (row["machine"], row["name"], row["lost"]) == ("pump-01", "'=1+1", "5000.0")


def test_operators_read_and_nobody_writes(client, key_for, planner, fleet):
    for path in ("", "/summary", ".csv", "/1"):
        assert client.get(URL + path, headers=key_for(Role.SENSOR)).status_code == 403
        assert client.get(URL + path).status_code == 401
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, URL, headers=planner, json={}).status_code == 405


def test_a_work_order_is_named(client, operator, session, make_machine, add):
    machine = make_machine("pump-02")
    order = WorkOrder(machine_id=machine.id, state="done")
    session.add(order)
    session.flush()
    add(machine, 1, work_order_id=order.id)
    assert listed(client, operator)["outcomes"][0]["work_order_id"] == order.id
