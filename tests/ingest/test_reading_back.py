from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import session_scope
from app.ingest.latest import latest_readings, silent_machines
from app.ingest.rollup import ensure_bucket_width, roll_up_all, roll_up_touched
from app.settings import Settings
from tests.conftest import at
from tests.ingest.conftest import reading


def rollups(engine):
    query = """SELECT c.key, to_char(bucket_start, 'DD HH24:MI'), n, mean, min, max,
        round(std::numeric, 6)::float8, last
        FROM rollups JOIN channels c ON c.id = channel_id ORDER BY 1, 2"""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_bucket_is_summed_up_for_every_channel(post, engine, settings):
    post([reading("2026-11-20T08:59:59Z", temperature_c=9, extra={"a": 5})])
    post([reading("2026-11-20T08:00:00Z", temperature_c=1), reading("2026-11-20T09:00:00Z", temperature_c=4)])
    assert roll_up_all(engine, settings) == 2
    assert rollups(engine) == [
        ("a", "20 08:00", 1, 5, 5, 5, 0, 5),
        ("temperature_c", "20 08:00", 2, 5, 1, 9, 4, 9),
        ("temperature_c", "20 09:00", 1, 4, 4, 4, 0, 4),
    ]


def test_only_touched_buckets_are_computed_again(post, engine, settings):
    post([reading("2026-11-20T08:00:00Z"), reading("2026-11-20T09:00:00Z")])
    roll_up_all(engine, settings)
    post([reading("2026-11-20T08:00:00Z"), reading("2026-11-20T08:00:00Z", temperature_c=7)])
    assert roll_up_all(engine, settings) == 0
    post([reading("2026-11-20T08:30:00Z")])
    assert roll_up_all(engine, settings) == 1


def test_marks_and_roll_ups_change_together_or_not_at_all(post, engine, settings):
    post([reading("2026-11-20T08:00:00Z")])
    with Session(engine) as session:
        assert roll_up_touched(session, settings, 10) == 1
        session.rollback()
    assert rollups(engine) == []
    assert roll_up_all(engine, settings) == 1


def test_steps_are_bounded_and_leave_the_rest_for_the_next(post, engine, settings):
    post([reading(f"2026-11-20T{hour:02}:00:00Z") for hour in range(5)])
    with session_scope(engine) as session:
        assert [roll_up_touched(session, settings, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert len(rollups(engine)) == 5


def test_another_bucket_width_makes_all_roll_ups_anew(post, engine, settings, tmp_path):
    post([reading("2026-11-20T08:00:00Z", temperature_c=1), reading("2026-11-20T08:30:00Z", temperature_c=3)])
    roll_up_all(engine, settings)
    roll_up_all(engine, Settings(data_dir=tmp_path, bucket="30m"))
    assert [row[1:4] for row in rollups(engine)] == [("20 08:00", 1, 1), ("20 08:30", 1, 3)]
    with session_scope(engine) as session:
        ensure_bucket_width(session, settings)
    roll_up_all(engine, settings)
    assert [row[1:4] for row in rollups(engine)] == [("20 08:00", 2, 2)]


def chart(client, **query):
    answer = client.get("/api/v1/machines/press-07/readings", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_few_readings_are_charted_as_they_are(post, client):
    post([reading("2026-11-20T08:00:00Z", temperature_c=1, extra={"a": 2}), reading("2026-11-01T08:00:00Z")])
    found = chart(client)
    assert (found["source"], found["channels"].keys()) == ("raw", {"temperature_c", "a"})
    assert found["channels"]["a"] == {"t": ["2026-11-20T08:00:00Z"], "mean": [2], "min": [2], "max": [2]}


def test_many_readings_are_thinned_and_the_extremes_survive(post, client, engine, settings):
    start = at("2026-11-19 00:00")
    times = [(start + timedelta(minutes=n)).isoformat() for n in range(1440)]
    post([reading(time, temperature_c=1999 if n == 700 else 20) for n, time in enumerate(times)])
    roll_up_all(engine, settings)
    for query, source in (({"to": "2026-11-20T00:00:00Z", "from": "2026-11-19T00:00:00Z"}, "minutes"), ({}, "raw")):
        found = chart(client, **query, max_points=100 if query else 2000)
        series = found["channels"]["temperature_c"]
        assert found["source"] == source
        assert max(series["max"]) == 1999
        assert len(series["t"]) <= (100 if query else 2000)
    found = chart(client, **{"from": "2026-10-01T00:00:00Z", "to": "2026-11-20T00:00:00Z", "max_points": 20})
    assert (found["source"], max(found["channels"]["temperature_c"]["max"])) == ("rollups", 1999)
    assert len(found["channels"]["temperature_c"]["t"]) <= 20


def test_a_clock_that_runs_ahead_does_not_keep_the_newest_readings_from_the_chart(post, client, engine, settings):
    now = datetime.now(UTC)
    times = [now - timedelta(hours=3 * n) for n in range(10)]
    post([reading(time.isoformat(), temperature_c=20) for time in times])
    roll_up_all(engine, settings)
    with session_scope(engine) as session:
        ahead = "INSERT INTO rollups SELECT machine_id, channel_id, now() + interval '1 h', 1, 20, 20, 20, 0, 20"
        session.execute(text(f"{ahead} FROM rollups LIMIT 1"))
    post(reading((now - timedelta(seconds=1)).isoformat(), temperature_c=99))
    window = {"from": times[-1].isoformat(), "to": (now + timedelta(hours=2)).isoformat()}
    found = chart(client, max_points=5, **window)
    assert (found["source"], max(found["channels"]["temperature_c"]["max"])) == ("rollups", 99)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("press-07/readings?from=2026-11-20T08:00:00Z&to=2026-11-20T08:00:00Z", 422),
        ("press-07/readings?from=2026-11-20T08:00:00", 422),
        ("press-07/readings?from=9999-12-31T23:59:59-14:00", 422),
        ("press-07/readings?to=0001-01-01T00:00:00%2B14:00", 200),
        ("press-07/readings?max_points=0", 422),
        ("a%00b/readings", 404),
    ],
)
def test_a_chart_nobody_can_draw_is_refused(post, client, path, status):
    post(reading())
    assert client.get(f"/api/v1/machines/{path}").status_code == status


def test_the_latest_reading_is_the_one_measured_last_not_the_one_that_came_last(post, engine):
    post([reading("2026-11-20T08:00:00Z", temperature_c=3), reading("2026-09-20T08:00:00Z", machine="fan")])
    post([reading("2026-10-20T08:00:00Z", temperature_c=1, extra={"a": 1})])
    with session_scope(engine) as session:
        latest = latest_readings(session)
        assert {each.measured_at for each in latest.values()} == {at("2026-11-20 08:00"), at("2026-09-20 08:00")}
        [press] = [id_ for id_, each in latest.items() if each.temperature_c == 3]
        assert latest_readings(session, [press]).keys() == {press}
        session.execute(text("INSERT INTO machines (key, configured) VALUES ('quiet', true)"))
        silent = silent_machines(session, at("2026-11-01 00:00"))
        assert sorted(silent.values(), key=str) == [at("2026-09-20 08:00"), None]
