"""A chart against its readings: whatever level answers, no extreme is lost, invented or shown at another time."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from made_fleet import database_of_its_own
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import session_scope
from app.ingest.chart import machine_readings, window
from app.ingest.partitions import ensure_partitions, month_of
from app.ingest.rollup import ensure_bucket_width, roll_up_all, roll_up_touched
from app.ingest.schemas import MachineReadings
from app.settings import Settings

START = datetime(2026, 10, 5, tzinfo=UTC)
SECONDS = 3 * 86_400
# One second's value far above the others, in the middle of nowhere.
SPIKE_AT, SPIKE = 131_999, 777.0
FILL = """
    INSERT INTO readings (machine_id, measured_at, temperature_c, current_a, extra)
    SELECT 1, CAST(:start AS timestamptz) + make_interval(secs => second),
        CASE WHEN second = :spike_at THEN :spike ELSE 50 + (second * 7919 % 10007) / 1000.0 END,
        CASE WHEN second % 3 = 0 THEN 10 + second % 101 END,
        CASE WHEN second % 600 = 0 THEN jsonb_build_object('pressure_bar', second % 977) END
    FROM generate_series(0, :seconds - 1) AS second
    -- Of the second day ten minutes of every hour are missing, and after noon all but one in 30 seconds.
    WHERE NOT (second BETWEEN 86400 AND 172799 AND second % 3600 BETWEEN 1200 AND 1799)
        AND NOT (second BETWEEN 129600 AND 172799 AND second % 30 <> 1 AND second <> :spike_at)
"""


MARK = """INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT DISTINCT 1, date_trunc('hour', measured_at) FROM readings"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(data_dir=tmp_path_factory.mktemp("charts"))


@pytest.fixture(scope="module")
def filled(server, template, settings):
    """Three days at 1 Hz, rolled up before the last half hour came."""
    with database_of_its_own(server, template) as engine:
        ensure_partitions(engine, [month_of(START.date())])
        with session_scope(engine) as session:
            session.execute(text("INSERT INTO machines (key, configured) VALUES ('press-07', true)"))
            fill = {"start": START, "spike_at": SPIKE_AT, "spike": SPIKE}
            session.execute(text(f"{FILL} AND second < {SECONDS - 1800}"), fill | {"seconds": SECONDS})
            session.execute(text(MARK))
        roll_up_all(engine, settings)
        with session_scope(engine) as session:
            session.execute(text(f"{FILL} AND second >= {SECONDS - 1800}"), fill | {"seconds": SECONDS})
        yield engine


@pytest.fixture
def session(filled):
    """What a test changes is taken back."""
    with Session(filled) as session:
        yield session


def chart(session, settings, since, until, max_points=2000):
    asked = window(session, "press-07", since, until)
    return MachineReadings.model_validate_json(machine_readings(session, settings, "press-07", asked, max_points))


def readings(session, channel, since, until):
    column = channel if channel.endswith(("_c", "_a")) else f"(extra ->> '{channel}')::float8"
    query = f"""SELECT measured_at, {column} FROM readings WHERE {column} IS NOT NULL
        AND measured_at >= :since AND measured_at < :until ORDER BY measured_at"""
    rows = session.execute(text(query), {"since": since, "until": until}).all()
    return np.array([at.timestamp() for at, _ in rows]), np.array([value for _, value in rows])


def hours(number):
    return START + timedelta(hours=number)


LEVELS = [
    (hours(0), hours(24), 2000, "minutes"),
    (hours(1.011), hours(71.9), 2000, "minutes"),
    (hours(30), hours(60.5), 1000, "minutes"),
    (hours(-100), hours(71.99), 300, "rollups"),
    (hours(0.7), hours(72), 20, "rollups"),
    (hours(71.1), hours(71.9), 1, "rollups"),
    (datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC), 1, "rollups"),
    (datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC), 2000, "rollups"),
    (hours(10.2), hours(14.1), 2000, "binned"),
    (hours(71.2), hours(72), 2000, "binned"),
    (hours(71.1), hours(71.2), 2000, "raw"),
]


@pytest.mark.parametrize("case", range(len(LEVELS)), ids=[f"{level[3]}-{n}" for n, level in enumerate(LEVELS)])
def test_every_bin_of_every_level_has_the_envelope_of_its_readings(session, settings, case):
    since, until, max_points, source = LEVELS[case]
    found = chart(session, settings, since, until, max_points)
    assert found.source == source
    for channel, series in found.channels.items():
        times, values = readings(session, channel, since, until)
        first = np.searchsorted(times, [at.timestamp() for at in series.t])
        assert len(series.t) <= max_points
        assert first[0] == 0
        np.testing.assert_array_equal(series.min, np.minimum.reduceat(values, first))
        np.testing.assert_array_equal(series.max, np.maximum.reduceat(values, first))
        count = np.diff([*first, len(values)])
        np.testing.assert_allclose(series.mean, np.add.reduceat(values, first) / count, rtol=1e-12)
    assert found.channels.keys() == {"temperature_c", "current_a", "pressure_bar"}


@pytest.mark.parametrize("max_points", [1, 2, 3, 7, 24, 25])
def test_there_are_never_more_points_than_asked_for(session, settings, max_points):
    for since in range(0, 40, 3):
        found = chart(session, settings, hours(since / 7), hours(since / 7 + 61.3), max_points)
        assert 0 < max(len(series.t) for series in found.channels.values()) <= max_points


def test_the_reading_of_one_second_is_in_the_chart_of_days(session, settings):
    for max_points in (10, 100, 2000):
        series = chart(session, settings, hours(0), hours(72), max_points).channels["temperature_c"]
        assert max(series.max) == SPIKE


def test_the_newest_bucket_is_shown_before_anything_rolled_it_up(session, settings):
    for max_points in (20, 2000):
        series = chart(session, settings, hours(0), hours(72), max_points).channels["temperature_c"]
        step = (hours(72) - hours(0)) / (max_points // 2)
        assert series.t[-1] >= hours(72) - step


def test_without_any_roll_up_the_readings_answer(session, settings):
    before = chart(session, settings, hours(0), hours(72)).channels["temperature_c"]
    session.execute(text("TRUNCATE rollups, rollup_minutes"))
    after = chart(session, settings, hours(0), hours(72)).channels["temperature_c"]
    assert (after.t, after.min, after.max) == (before.t, before.min, before.max)


def test_where_retention_dropped_the_readings_the_roll_ups_stay_in_the_chart(session, settings):
    session.execute(text("DELETE FROM readings WHERE measured_at < :kept"), {"kept": hours(60)})
    session.execute(text("INSERT INTO kept_from (what, at) VALUES ('readings', :kept)"), {"kept": hours(60)})
    for until in (hours(72), hours(48)):
        found = chart(session, settings, hours(0), until)
        assert {at.replace(minute=0) for at in found.channels["temperature_c"].t} >= {hours(n) for n in range(48)}
        assert max(found.channels["temperature_c"].max) == SPIKE


def test_centuries_in_buckets_of_a_second_cost_no_more_than_their_readings(session, tmp_path):
    narrow = Settings(data_dir=tmp_path, bucket="1s")
    ensure_bucket_width(session, narrow)
    assert roll_up_touched(session, narrow, 20_000) == 20_000
    since, until = datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
    tracemalloc.start()
    found = chart(session, narrow, since, until)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()
    assert max(found.channels["temperature_c"].max) == SPIKE


def test_a_bucket_of_another_width_than_minutes_fit_into_is_charted_too(session, tmp_path):
    odd = Settings(data_dir=tmp_path, bucket="90s")
    ensure_bucket_width(session, odd)
    assert roll_up_touched(session, odd, 10_000) == SECONDS // 90 - 24 * 6
    found = chart(session, odd, hours(0), hours(72))
    assert (found.source, max(found.channels["temperature_c"].max)) == ("rollups", SPIKE)
    assert not session.scalar(text("SELECT count(*) FROM rollup_minutes"))


def test_readings_kept_longer_than_their_rollups_are_still_shown(session, settings):
    since, until = hours(0), hours(70)
    before = chart(session, settings, since, until, 100)
    session.execute(text("DELETE FROM rollups WHERE bucket_start < :at"), {"at": hours(30.5)})
    session.execute(text("INSERT INTO kept_from VALUES ('rollups', :at)"), {"at": hours(30.5)})
    after = chart(session, settings, since, until, 100)
    assert after.source == before.source == "rollups"
    assert after.channels["temperature_c"].t[0] == before.channels["temperature_c"].t[0] == since
    for channel, series in before.channels.items():
        assert after.channels[channel].max == series.max
        assert after.channels[channel].min == series.min
