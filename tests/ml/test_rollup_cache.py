"""The law of the cache: what it gives is what a fresh reading gives, whatever was written in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, insert, text, update

from app.database import session_scope
from app.fleet.tables import Machine
from app.ingest.partitions import ensure_partitions, month_of
from app.ingest.retention import retire
from app.ingest.rollup import forget_changes, roll_up_all
from app.ingest.tables import Rollup, RollupChange, TouchedBucket
from ml import rollup_cache, rollups
from ml.columnar import packed_rollups
from ml.dataset import read_plant, read_rollups
from ml.jobs.storage import keep_storage
from ml.rollup_cache import RollupCache

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STORE = text(
    "INSERT INTO readings (machine_id, measured_at, vibration_mm_s, extra)"
    " VALUES (:machine, :at, :value, cast(:extra AS jsonb))"
)


@pytest.fixture
def cache():
    return RollupCache(10_000_000)


@pytest.fixture
def reading(engine, settings):
    """Stores readings of a machine at hours after START and rolls them up."""
    machines = {}

    def put(key, hours, value=1.0, **extra):
        if key not in machines:
            with session_scope(engine) as session:
                machine = Machine(key=key)
                session.add(machine)
                session.flush()
                machines[key] = machine.id
        months = {month_of((START + hour * HOUR).date()) for hour in hours}
        ensure_partitions(engine, months)
        with session_scope(engine) as writing:
            for hour in hours:
                at, machine_id = START + hour * HOUR, machines[key]
                row = {
                    "machine": machine_id,
                    "at": at,
                    "value": value,
                    "extra": json.dumps(extra) if extra else None,
                }
                writing.execute(STORE, row)
                writing.execute(insert(TouchedBucket).values(machine_id=machine_id, bucket_start=at))
        roll_up_all(engine, settings)

    return put


def fresh(session, settings, plant):
    return read_rollups(session, settings, plant)


def cached(cache, session, settings, plant):
    return cache.read(session, settings, 0, plant.machines["id"].tolist(), plant.until, plant.channels)


def same(engine, settings, cache, until):
    """Whether both ways give the same; how many rows."""
    with session_scope(engine) as session:
        plant = read_plant(session, settings, until=START + until * HOUR)
        mine, theirs = cached(cache, session, settings, plant), fresh(session, settings, plant)
    assert mine.channels == theirs.channels
    for name in ("machine_id", "bucket", "statistics"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    return len(mine.bucket)


def test_new_late_merged_and_far_too_old_rows_are_as_in_a_fresh_reading(engine, settings, cache, reading):
    reading("a", range(5))
    reading("b", range(3, 8))
    assert same(engine, settings, cache, 6) == 8
    reading("a", [5, 6, 9])
    assert same(engine, settings, cache, 10) == 13
    reading("a", [-3000], 7.0)
    reading("b", [2.5, 4.5], 9.0)
    assert same(engine, settings, cache, 10) == 15
    reading("c", [1, 2], pressure_bar=4.0)
    reading("a", [2.25], oil_bar=1.0)
    assert same(engine, settings, cache, 11) == 17


def test_only_what_was_written_since_is_read_again(engine, settings, cache, reading, monkeypatch):
    asked = []

    def watched(session, since, *more):
        asked.append(dict(since))
        return packed_rollups(session, since, *more)

    monkeypatch.setattr(rollups, "packed_rollups", watched)
    reading("a", range(5))
    reading("b", range(5))
    same(engine, settings, cache, 5)
    same(engine, settings, cache, 5)
    # The last is the fresh reading it is held against.
    assert asked[-2] == {}
    reading("b", [1.5])
    same(engine, settings, cache, 5)
    assert list(asked[-2].values()) == [START + HOUR]
    same(engine, settings, cache, 6)
    assert set(asked[-2].values()) == {START + 5 * HOUR}


def test_a_bucket_that_ended_unnoticed_is_read_when_it_counts(engine, settings, cache, reading):
    """It was rolled up while it was open, and nothing came any more."""
    reading("a", range(5))
    assert same(engine, settings, cache, 4) == 4
    assert same(engine, settings, cache, 5) == 5


def test_what_retention_dropped_is_gone(engine, settings, cache, reading):
    reading("a", range(10))
    same(engine, settings, cache, 10)
    now = datetime.now(UTC)
    kept = settings.model_copy(update={"keep_rollups": now - START - 4.5 * HOUR})
    assert list(retire(engine, kept, now, "test"))
    assert same(engine, settings, cache, 10) == 5


def test_after_a_long_silence_everything_is_read_anew(engine, settings, cache, reading):
    reading("a", range(5))
    same(engine, settings, cache, 5)
    with session_scope(engine) as session:
        session.execute(update(Rollup).values(mean=77.0))
        session.execute(delete(RollupChange))
    known = cache._known[0]
    old = known.read_at - rollup_cache.TRUSTED_FOR - HOUR
    cache._known[0] = rollup_cache._Known(known.ids, known.until, known.seen, old, known.rollups)
    same(engine, settings, cache, 5)


def test_an_earlier_time_is_not_answered_from_later_knowledge(engine, settings, cache, reading):
    reading("a", range(5))
    assert same(engine, settings, cache, 5) == 5
    assert same(engine, settings, cache, 3) == 3
    assert same(engine, settings, cache, 5) == 5


def test_what_does_not_fit_is_read_each_time(engine, settings, reading):
    small = RollupCache(10)
    reading("a", range(5))
    assert same(engine, settings, small, 5) == 5
    assert not small._known
    reading("a", [1.5])
    assert same(engine, settings, small, 5) == 5


def test_the_log_is_kept_for_longer_than_it_is_trusted(engine, settings, reading):
    reading("a", range(3))
    with session_scope(engine) as session:
        old = datetime.now(UTC) - rollup_cache.TRUSTED_FOR - HOUR
        session.execute(update(RollupChange).values(written_at=old))
    keep_storage(engine, settings)
    with session_scope(engine) as session:
        assert session.query(RollupChange).count() == 1
        forget_changes(session, datetime.now(UTC))
        assert not session.query(RollupChange).count()
