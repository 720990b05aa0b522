import gzip
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.security.principal import Role
from tests.ingest.conftest import counts, reading

DAY = "2026-11-20"


def test_one_reading_a_list_and_lines_are_stored_alike(post, stored):
    assert counts(post(reading("2026-11-20T08:00:00Z", temperature_c=61.2, extra={"pressure_bar": 5.4}))) == {
        "accepted": 1
    }
    assert counts(post([reading("2026-11-20T09:00:00Z"), reading("2026-11-20T10:00:00Z")])) == {"accepted": 2}
    lines = "\n".join(json.dumps(reading(f"2026-11-20T{hour}:00:00Z")) for hour in (11, 12))
    assert counts(post(lines, **{"content-type": "application/x-ndjson"})) == {"accepted": 2}
    rows = stored()
    assert rows[0] == ("press-07", f"{DAY} 08:00:00", {"temperature_c": 61.2, "pressure_bar": 5.4})
    assert [at for _, at, _ in rows] == [f"{DAY} {hour:02}:00:00" for hour in range(8, 13)]


def test_a_body_may_come_as_gzip_in_several_members(post):
    body = json.dumps([reading("2026-11-20T08:00:00Z"), reading("2026-11-20T09:00:00Z")]).encode()
    members = gzip.compress(body[:40]) + gzip.compress(body[40:])
    assert counts(post(members, **{"content-encoding": "gzip"})) == {"accepted": 2}


def test_lines_are_understood_although_nobody_announced_them(post):
    lines = "\r\n".join(json.dumps(reading(f"2026-11-20T{hour}:00:00Z")) for hour in (11, 12)) + "\n\n"
    for kind in ("", "text/plain", "application/json"):
        post(lines, **{"content-type": kind})
    assert counts(post(lines, **{"content-type": "application/x-www-form-urlencoded"})) == {"duplicates": 2}


def test_an_empty_list_is_no_error(post):
    assert counts(post([])) == {}


def test_times_of_all_zones_are_the_same_time(post):
    assert counts(post(reading("2026-11-20T08:00:00Z"))) == {"accepted": 1}
    assert counts(post(reading("2026-11-20T09:00:00+01:00"))) == {"duplicates": 1}


@pytest.mark.parametrize("beside", ["", ', {"machine": 7}'])
def test_a_name_that_comes_twice_counts_with_its_last_value_as_the_description_says(post, client, stored, beside):
    twice = '{"machine": "press-07", "measured_at": "2026-11-20T08:00:00Z", "current_a": 1, "current_a": 2}'
    assert post(f"[{twice}{beside}]".encode()).json()["accepted"] == 1
    assert [channels for _, _, channels in stored()] == [{"current_a": 2}]
    assert "comes twice" in client.get("/api/v1/openapi.json").text


def test_good_rows_of_a_half_bad_batch_are_stored_and_bad_ones_named(post, stored):
    answer = post(
        [
            reading(),
            reading(temp_f=1),
            reading(temperature_c="61"),
            reading(temperature_c=True),
            reading(machine=7),
            reading(1700000000),
            reading("2026-11-20T08:00:00"),
            {"machine": "press-07", "temperature_c": 1},
            17,
            reading(temperature_c=-300),
            reading(vibration_mm_s=-1),
            reading(extra={"pressure_bar": "x"}),
            reading(extra={"temperature_c": 1}),
            reading(extra={"a": 1e101}),
            reading(extra=[1]),
            reading(temperature_c=None),
            reading("2999-01-01T00:00:00Z"),
            reading("9999-12-31T23:59:59-14:00"),
            reading("0001-01-01T00:00:00+14:00"),
            reading("1970-01-01T00:00:00Z"),
            reading(machine="x" * 101),
            reading("2026-11-20T09:00:00Z"),
        ]
    )
    assert counts(answer) == {"accepted": 2, "rejected": 20}
    reasons = {row["index"]: f"{row['field']}: {row['reason']}" for row in answer.json()["rejected"]}
    for index, words in {
        1: "temp_f: unknown field temp_f; did you mean temperature_f; other channels go into extra",
        2: "temperature_c: a number is needed, not text",
        3: "temperature_c: a number is needed, not true or false",
        4: "machine: machine is text",
        5: "measured_at: measured_at is text",
        6: "measured_at: '2026-11-20T08:00:00' is not a time with a zone",
        7: "measured_at: measured_at is missing",
        8: "None: a reading is a JSON object, not a number",
        9: "temperature_c: -300 is below -273.15 degrees Celsius",
        10: "vibration_mm_s: -1 is below 0 mm/s",
        11: "extra.pressure_bar: a number is needed",
        12: "extra: temperature_c is a field of its own",
        13: "extra.a: 1e+101 is not a number",
        14: "extra: extra is an object",
        15: "None: the reading holds no value",
        16: "measured_at: the time lies",
        17: "in the future",
        18: "measured_at: the time lies in the year 1;",
        19: "measured_at: the time lies in the year 1970;",
        20: "machine: the machine's key has 101 characters",
    }.items():
        assert words in reasons[index]
    assert [at for _, at, _ in stored()] == [f"{DAY} 08:00:00", f"{DAY} 09:00:00"]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_a_literal_that_is_no_json_spoils_its_row_only(post, literal):
    body = f"[{json.dumps(reading())}, {json.dumps(reading('2026-11-20T09:00:00Z')).replace('61.2', literal)}]"
    answer = post(body)
    assert counts(answer) == {"accepted": 1, "rejected": 1}
    assert answer.json()["rejected"][0]["reason"].startswith(f"{literal} is not a measurement")


def test_a_line_that_is_no_json_spoils_itself_only(post):
    body = json.dumps(reading()) + "\n{broken\n" + "[" * 100_000 + "\n" + json.dumps(reading("2026-11-20T09:00Z"))
    answer = post(body, **{"content-type": "application/x-ndjson"})
    assert counts(answer) == {"accepted": 1, "rejected": 3}
    assert [row["index"] for row in answer.json()["rejected"]] == [1, 2, 3]


def test_a_request_without_one_good_row_is_no_success(post, stored):
    answer = post([reading(temperature_c=-300), reading(temperature_c=-300)])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "None of the 2 readings was stored. "
        "The first: temperature_c: -300 is below -273.15 degrees Celsius; is the unit right?"
    )
    assert [row["index"] for row in answer.json()["rejected"]] == [0, 1]
    assert stored() == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 400, "empty"),
        ("x", 400, "not JSON"),
        ("[1, 2", 400, "breaks off"),
        ("[1,]", 400, "breaks off"),
        ("[] []", 400, "something follows"),
        ('{"machine": ', 400, "not JSON"),
        (b"[\xff]", 400, "not UTF-8"),
        ("[" * 100_000, 400, "too deeply"),
        ('{"machine":' + "[" * 100_000, 400, "too deeply"),
        ('{"machine":' + '{"a":' * 100_000, 400, "too deeply"),
        ("null", 422, "null"),
        (
            '{"machine": "\\ud800", "measured_at": "2026-11-20T08:00:00Z", "current_a": 1}',
            422,
            "control characters",
        ),
        (
            '{"machine": "\\u0000", "measured_at": "2026-11-20T08:00:00Z", "current_a": 1}',
            422,
            "control characters",
        ),
        ('{"machine": "a", "measured_at": "2026-11-20T08:00:00Z", "current_a": ' + "9" * 5000 + "}", 422, "above"),
        ('{"machine": "a", "measured_at": "2026-11-20T08:00:00Z", "extra": {"\\u0000": 1}}', 422, "printable"),
        ('{"\\ud800": 1}', 422, "unknown field"),
        ('{"machine": "a", "measured_at": "2026-11-20T08:00:00Z", "extra": {"a": 1e999}}', 422, "inf is not"),
    ],
)
def test_garbage_is_refused_with_a_reason_and_kept_where_it_can_be(post, body, status, words):
    answer = post(body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_too_many_rows_are_refused_whole(post, stored):
    answer = post([reading()] * 100_001)
    assert (answer.status_code, stored()) == (422, [])
    assert "More than 100,000 readings" in answer.json()["detail"]


def test_too_many_rows_are_refused_whole_when_one_is_bad(post, stored):
    answer = post([reading()] * 100_000 + [17])
    assert (answer.status_code, stored()) == (422, [])


def test_a_body_that_would_fill_the_memory_when_decoded_is_refused(post):
    answer = post(b"[" + b"1," * 4_000_001 + b"1]")
    assert answer.status_code == 422
    assert "send it in parts" in answer.json()["detail"]


def test_bodies_are_bounded_as_sent_and_unpacked(post):
    assert post(b" " * (16 << 20) + b"[]").status_code == 413
    bomb = gzip.compress(b"[" + b" " * (65 << 20) + b"]")
    assert post(bomb, **{"content-encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"no gzip", "gzip", "cannot be unpacked"),
        (gzip.compress(b"[]")[:-3], "gzip", "breaks off"),
        (gzip.compress(b"[]") + b"rest", "gzip", "cannot be unpacked"),
        (b"[]", "br", "not understood"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_unreadable(post, body, encoding, words):
    answer = post(body, **{"content-encoding": encoding})
    assert (answer.status_code, words in answer.json()["detail"]) == (400, True)


def test_an_unknown_machine_is_registered_only_by_a_key_that_may(post, send_as, stored, engine):
    send_as(Role.SENSOR, may_register_machines=False)
    answer = post([reading(machine="new"), reading(machine="new")])
    assert answer.status_code == 422
    assert "machine is not known" in answer.json()["detail"]
    send_as(Role.SENSOR, may_register_machines=True)
    assert counts(post(reading(machine="new"))) == {"accepted": 1}
    send_as(Role.SENSOR, may_register_machines=False)
    assert counts(post([reading("2026-11-20T09:00:00Z", machine="new"), reading(machine="other")])) == {
        "accepted": 1,
        "rejected": 1,
    }
    with engine.connect() as connection:
        assert connection.execute(text("SELECT key, configured FROM machines")).all() == [("new", False)]


def test_refused_rows_are_kept_with_the_reason_as_far_as_they_go(post, client):
    post([reading(machine="a\x00b", temperature_c=1), reading(note="x" * 5000)])
    page = client.get("/api/v1/readings/rejected", params={"limit": 1}).json()
    older = client.get("/api/v1/readings/rejected", params={"limit": 1, "before": page["next"]}).json()
    kept = [page["items"][0], older["items"][0]]
    assert {row["field"] for row in kept} == {"machine", "note"}
    assert all(len(row["payload"]) <= 2000 and row["sender"] == "key admin" for row in kept)
    assert (
        client.get("/api/v1/readings/rejected", params={"machine": "press-07"}).json()["items"][0]["field"]
        == "note"
    )


def test_only_senders_send_and_only_people_read(post, client, send_as):
    send_as(Role.OPERATOR)
    assert post(reading()).status_code == 403
    send_as(Role.SENSOR)
    assert post(reading()).status_code == 200
    for path in ("readings/rejected", "readings/conflicts", "machines/press-07/readings"):
        assert client.get(f"/api/v1/{path}").status_code == 403


def test_a_month_nobody_reported_before_gets_its_partition(post, engine):
    last_year = datetime.now(UTC).year - 1
    times = (f"{last_year}-02-28T12:00:00Z", f"{last_year}-03-01T00:00:00Z")
    assert counts(post([reading("1999-12-31T23:59:59.999999Z"), *map(reading, times)])) == {"accepted": 3}
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT tableoid::regclass::text FROM readings ORDER BY measured_at")).all()
    assert names == ["readings_1999", f"readings_{last_year}_02", f"readings_{last_year}_03"]
