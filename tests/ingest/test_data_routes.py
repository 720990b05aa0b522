from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.database import session_scope
from app.ingest.arrival_totals import fold_all_arrivals
from app.ingest.clock_rule import clock_doubt
from app.ingest.refusals import ALL_KINDS, kind_of
from app.ingest.rollup import roll_up_all
from app.security.principal import Role
from tests.ingest.conftest import reading

HOUR = timedelta(hours=1)


def ago(**span) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


@pytest.fixture
def get(client, send_as):
    def get(address, **query):
        answer = client.get(f"/api/v1{address}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def sent(post, send_as):
    """Two senders; one of them sends late, twice, nonsense and contradictions."""
    send_as(Role.SENSOR)
    first = reading(ago(minutes=1), temperature_c=61)
    post([first, reading(ago(hours=3), machine="fan")])
    post([first, {**first, "temperature_c": 70}, {**first, "current_a": 10}])
    post([reading(ago(days=-2)), reading(temperature_c=-300), reading(ago(hours=2), temperature_c="x"), first])
    send_as(Role.ADMIN)
    post([reading(ago(seconds=1), machine="pump")])


@pytest.mark.parametrize("folded", [False, True])
def test_each_sender_has_an_account_of_what_became_of_its_readings(sent, get, engine, settings, folded):
    if folded:
        fold_all_arrivals(engine, settings, datetime.now(UTC))
    page = get("/data/arrivals")
    admin, sensor = page["items"]
    assert (page["total"], page["counted_until"]) == (2, None)
    assert (sensor["sender"], sensor["machine"]) == ("key sensor", None)
    counts = {name: sensor[name] for name in ("accepted", "duplicates", "merged", "conflicts", "late")}
    assert counts == {"accepted": 2, "duplicates": 2, "merged": 1, "conflicts": 1, "late": 1}
    assert sensor["rejected"] == {"future": 1, "range": 1, "not_a_number": 1}
    assert 3 * 3600 <= sensor["largest_lag_s"] < 3 * 3600 + 60
    assert sensor["quiet_for_s"] < 60
    assert "future" in sensor["clock"]
    assert (admin["accepted"], admin["rejected"], admin["clock"]) == (1, {}, None)


def test_accounts_by_machine_name_those_rows_too_whose_machine_nobody_knows(sent, post, send_as, get):
    send_as(Role.SENSOR, may_register_machines=False)
    post([reading(machine="stranger"), reading(ago(minutes=2))])
    send_as(Role.ADMIN)
    rows = get("/data/arrivals", by="machine")["items"]
    assert [row["machine"] for row in rows] == [None, "fan", "press-07", "pump"]
    assert rows[0]["rejected"] == {"unknown_machine": 1}
    pairs = get("/data/arrivals", by="sender and machine", machine="press-07")["items"]
    assert [(row["sender"], row["machine"]) for row in pairs] == [
        ("key sensor", "press-07"),
        ("key sensor of known machines", "press-07"),
    ]


def test_accounts_are_filtered_and_paged(sent, get):
    assert [row["sender"] for row in get("/data/arrivals", sender="key admin")["items"]] == ["key admin"]
    page = get("/data/arrivals", limit=1, offset=1)
    assert (page["total"], [row["sender"] for row in page["items"]]) == (2, ["key sensor"])
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert get("/data/arrivals", since=tomorrow) == {"items": [], "total": 0, "counted_until": None}


def test_silent_machines_are_named_those_that_never_sent_anything_first(sent, get, engine):
    with session_scope(engine) as session:
        session.execute(text("INSERT INTO machines (key, configured, line) VALUES ('new', true, 'L1')"))
    page = get("/data/silent")
    assert [(row["machine"], row["last_measured_at"] is None) for row in page["items"]] == [
        ("new", True),
        ("fan", False),
    ]
    assert (page["total"], page["silent_after_s"]) == (2, 3 * 3600)
    assert [row["machine"] for row in get("/data/silent", limit=1, offset=1)["items"]] == ["fan"]


def test_flags_are_told_with_the_example_that_raised_them(post, get, engine, settings):
    post([reading(ago(days=2), temperature_c=170), reading(ago(days=2, minutes=-1), temperature_c=400)])
    roll_up_all(engine, settings)
    page = get("/data/flags", machine="press-07", kind="outside_range")
    assert page["total"] == 1
    assert {name: page["items"][0][name] for name in ("machine", "channel", "n", "value", "before")} == {
        "machine": "press-07",
        "channel": "temperature_c",
        "n": 1,
        "value": 400,
        "before": None,
    }
    assert {row["kind"] for row in get("/data/flags")["items"]} == {"outside_range", "too_fast"}
    assert get("/data/flags", since=ago(days=1))["total"] == 0


def test_ledgers_are_filtered_by_machine_sender_and_time(sent, get):
    assert len(get("/readings/rejected", sender="key sensor")["items"]) == 3
    assert get("/readings/rejected", sender="key admin")["items"] == []
    assert get("/readings/rejected", machine="pump")["items"] == []
    assert len(get("/readings/conflicts", machine="press-07", sender="key sensor")["items"]) == 1
    assert get("/readings/conflicts", machine="nobody")["items"] == []
    assert get("/readings/conflicts", since=ago(days=-1))["items"] == []


def test_what_is_plausible_says_where_it_comes_from(get):
    classes = get("/data/plausible-values")["classes"]
    assert "IEC 60085" in classes["default"]["temperature_c"]["source"]
    assert all(rule["source"] for channels in classes.values() for rule in channels.values())


@pytest.mark.parametrize(
    ("address", "query"),
    [
        *((address, query) for address in ("/data/arrivals", "/data/flags", "/readings/rejected")
          for query in ("machine=%00", "since=yesterday", "since=2026-11-20T08:00:00", "limit=0", "limit=x")),
        ("/data/arrivals", "by=colour"),
        ("/data/arrivals", "sender=%00"),
        ("/data/arrivals", f"sender={'x' * 201}"),
        ("/data/flags", "kind=odd"),
        ("/data/silent", "offset=-1"),
        ("/readings/conflicts", "before=0"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_asked_is_a_fault_of_the_asker(client, send_as, address, query):
    assert client.get(f"/api/v1{address}?{query}").status_code == 422


def test_accounts_of_a_machine_nobody_named_are_not_found(client, send_as):
    assert client.get("/api/v1/data/arrivals?machine=nobody").status_code == 404


@pytest.mark.parametrize(
    ("field", "reason", "kind"),
    [
        ("measured_at", "the time lies 3 days in the future; is the clock right?", "future"),
        ("measured_at", "the time lies in the year 1970; is the clock set?", "past"),
        ("measured_at", "'x' is not a time with a zone, like 2026", "time"),
        (
            "machine",
            "the machine is not known; add it, or send with a key that may register machines",
            "unknown_machine",
        ),
        ("machine", "the machine's key is empty", "machine"),
        ("temperature_c", "-300 is below -273.15 degrees Celsius; is the unit right?", "range"),
        ("extra.x", "1e+101 is not a number that can be measured", "range"),
        ("temperature_c", "a number is needed, not text", "not_a_number"),
        ("temperature_c", "NaN is not a measurement; leave out what was not measured", "not_a_number"),
        ("temp", "unknown field temp; did you mean temperature_c", "unknown_field"),
        ("vibration_peak_mm_s", "vibration_mm_s is an r.m.s. value and 'mm/s peak' is a peak", "unit"),
        (None, "the reading holds no value for any channel", "empty"),
        (None, "a reading is a JSON object, not text", "form"),
    ],
)
def test_every_reason_is_of_a_kind_that_can_be_counted(field, reason, kind):
    assert kind_of(field, reason) == kind
    assert kind in ALL_KINDS


@pytest.mark.parametrize(
    ("lags", "future", "words"),
    [
        ([], 3, "3 readings lay in the future"),
        ([0, 1, 0], 0, None),
        ([0, -1, -30], 0, "runs 30 s ahead"),
        ([-1, -4, -9, -20], 0, "gains 19 s in 4 hours"),
        ([3602, 3600, 3601], 0, "every reading comes 60 min late: its zone seems wrong"),
        ([4000, 4010, 3990], 0, "the clock is behind, or readings wait"),
        ([40_000, 30_000, 20_000, 10_000], 0, None),
        ([3600, 3600], 0, None),
        ([600, 600, 600, 600], 0, None),
    ],
)
def test_lags_tell_of_a_wrong_clock_and_not_of_a_back_fill(lags, future, words):
    doubt = clock_doubt(lags, future)
    assert doubt is None if words is None else words in doubt
