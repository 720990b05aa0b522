"""When a bucket is rolled up, how often, and what is kept of a dense one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.database import session_scope
from app.ingest import rollup
from app.ingest.rollup import roll_up_all, roll_up_open
from app.settings import Settings
from tests.ingest.conftest import reading

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 20, 8, 20, tzinfo=UTC)
OPEN_SINCE = NOW.replace(minute=0)


def seen(engine):
    """Which buckets there are, and how many readings each had when it was rolled up."""
    query = "SELECT to_char(bucket_start, 'HH24:MI'), n FROM rollups WHERE channel_id = 1 ORDER BY 1"
    with engine.connect() as connection:
        return dict(connection.execute(text(query)).all())


def at(minute, second=0, hour=8):
    return f"2026-11-20T{hour:02}:{minute:02}:{second:02}Z"


def test_a_bucket_marked_a_thousand_times_is_computed_once(post, engine, settings, monkeypatch):
    monkeypatch.setattr(rollup, "FEWEST_BUCKETS_A_STEP", 1)
    monkeypatch.setattr(rollup, "MOST_SECONDS_A_STEP", 1)
    post([reading(at(0)), reading(at(0, hour=7))])
    with session_scope(engine) as session:
        again = "INSERT INTO touched_buckets (machine_id, bucket_start) SELECT machine_id, bucket_start"
        session.execute(text(f"{again} FROM touched_buckets CROSS JOIN generate_series(1, 500)"))
    assert roll_up_all(engine, settings) == 2


def test_finished_buckets_are_rolled_up_without_the_open_one(post, engine, settings):
    post([reading(at(0)), reading(at(59, hour=7))])
    assert roll_up_all(engine, settings, until=OPEN_SINCE) == 1
    assert seen(engine) == {"07:00": 1}


def test_an_open_bucket_is_shown_at_once_and_then_waits_the_longer_the_more_it_holds(post, engine, settings):
    roll_up_all(engine, settings)
    post(reading(at(1)))
    assert roll_up_open(engine, settings, NOW, OPEN_SINCE) == 1
    post(reading(at(2)))
    later = NOW + timedelta(minutes=4)
    assert roll_up_open(engine, settings, later, OPEN_SINCE) == 0
    assert seen(engine) == {"08:00": 1}
    later = NOW + timedelta(minutes=7)
    assert roll_up_open(engine, settings, later, OPEN_SINCE) == 1
    assert seen(engine) == {"08:00": 2}


@pytest.mark.parametrize(("every", "kept"), [(14, True), (16, False)])
def test_the_minutes_of_a_dense_bucket_are_kept(post, engine, settings, every, kept):
    post([reading(at(second // 60, second % 60), temperature_c=second % 97) for second in range(0, 3600, every)])
    roll_up_all(engine, settings)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT length(minute) / 4, length(n) / 4, length(max) / 8 FROM rollup_minutes")
        )
        assert rows.all() == [(60, 60, 60)] * kept


def test_a_bucket_no_wider_than_a_minute_has_no_minutes(post, engine, tmp_path):
    post([reading(at(0, second), temperature_c=second) for second in range(60)])
    roll_up_all(engine, Settings(data_dir=tmp_path, bucket="1m"))
    with engine.connect() as connection:
        assert not connection.execute(text("SELECT FROM rollup_minutes")).all()


def test_rolling_up_ends_while_readings_keep_coming(post, engine, settings, monkeypatch):
    """Marks that come after the start wait for the next time, or a busy plant would never be scored."""
    post(reading(at(0)))
    rounds = []
    step = rollup.roll_up_touched

    def and_another_reading(*given):
        rounds.append(1)
        assert len(rounds) < 10, "rolling up chases the readings that arrive meanwhile"
        post(reading(at(len(rounds))))
        return step(*given)

    monkeypatch.setattr(rollup, "roll_up_touched", and_another_reading)
    assert roll_up_all(engine, settings) == 1
    assert len(rounds) == 2
