"""Histories out of a real database: what was known when, in columns, and what is refused in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from histories import events_of, history_of, machines_of, time_at
from sqlalchemy import insert, select

from app.errors import BadInput, Conflict
from app.ingest.tables import Channel, Rollup, RollupState
from ml import columnar
from ml.dataset import fingerprint, load_history, training_moments
from ml.thinning import thinned

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def roll_up(session):
    """Puts one roll-up row there, `hours` after START."""
    numbers = dict(session.execute(select(Channel.key, Channel.id)).all())

    def put(machine, hours, channel="vibration_mm_s", mean=1.0):
        if channel not in numbers:
            numbers[channel] = session.scalar(insert(Channel).values(key=channel).returning(Channel.id))
        row = {"n": 3, "mean": mean, "min": mean - 1, "max": mean + 2, "std": 0.5, "last": mean + 0.25}
        session.execute(
            insert(Rollup).values(
                machine_id=machine.id, channel_id=numbers[channel], bucket_start=START + hours * HOUR, **row
            )
        )

    return put


def bucket(hours):
    return int((START + hours * HOUR).timestamp()) // 3600


def test_rollups_come_as_rows_by_machine_and_bucket_with_gaps(session, settings, make_machine, roll_up):
    late, early = make_machine("b"), make_machine("a")
    for machine, hours, channel, mean in [
        (late, 5, "vibration_mm_s", 7.0),
        (early, 3, "pressure_bar", 4.0),
        (early, 1, "vibration_mm_s", 2.0),
        (early, 3, "vibration_mm_s", 3.0),
        (late, 1000, "pressure_bar", 8.0),
    ]:
        roll_up(machine, hours, channel, mean)
    history = load_history(session, settings)
    assert history.machines["key"].tolist() == ["a", "b"]
    assert history.channels == ("pressure_bar", "vibration_mm_s")
    assert history.machine.tolist() == [0, 0, 1, 1]
    assert history.bucket.tolist() == [bucket(hours) for hours in (1, 3, 5, 1000)]
    nan = np.nan
    np.testing.assert_array_equal(history.mean, [[nan, 2], [4, 3], [nan, 7], [8, nan]])
    np.testing.assert_array_equal(history.last, history.mean + 0.25)
    np.testing.assert_array_equal(history.min, history.mean - 1)
    np.testing.assert_array_equal(history.max, history.mean + 2)
    np.testing.assert_array_equal(history.n, [[0, 3], [3, 3], [0, 3], [3, 0]])


def test_only_what_was_known_until_then_is_loaded(session, settings, make_machine, make_event, roll_up):
    machine = make_machine(decommissioned_at=START + 9 * HOUR, installed_at=START)
    for hours in range(4):
        roll_up(machine, hours)
    make_event(machine, "failure", started_at=START + 2 * HOUR - timedelta(seconds=1), code="VIB")
    make_event(machine, "failure", started_at=START + 2 * HOUR, code="OHE")
    then = load_history(session, settings, until=START + 2 * HOUR)
    assert then.bucket.tolist() == [bucket(0), bucket(1)]
    assert then.events["code"].tolist() == ["VIB"]
    assert then.machines["decommissioned_at"].isna().all()
    now = load_history(session, settings)
    assert len(now.bucket) == 4
    assert len(now.events) == 2
    assert now.machines["decommissioned_at"].tolist() == [START + 9 * HOUR]


def test_events_belong_to_machine_positions_in_order_of_time(session, settings, make_machine, make_event):
    second, first = make_machine("b"), make_machine("a")
    make_event(second, "service", started_at=START, ended_at=START + HOUR, code="preventive")
    make_event(first, "failure", started_at=START + HOUR, component="fan")
    make_event(first, "fault_code", started_at=datetime(9999, 12, 31, tzinfo=UTC), code="E1")
    make_event(first, "fault_code", started_at=START, code="E2")
    events = load_history(session, settings).events
    assert events["machine"].tolist() == [0, 0, 0, 1]
    assert events["kind"].tolist() == ["fault_code", "failure", "fault_code", "service"]
    assert str(events["started_at"].dtype) == str(events["ended_at"].dtype) == "datetime64[us, UTC]"
    assert events["ended_at"].isna().tolist() == [True, True, True, False]


def test_some_machines_alone_are_loaded_and_an_unknown_one_is_named(session, settings, make_machine, roll_up):
    for key in ("a", "b"):
        roll_up(make_machine(key), 0)
    assert load_history(session, settings, machine_keys=["b"]).machines["key"].tolist() == ["b"]
    with pytest.raises(BadInput, match="no machine 'c'"):
        load_history(session, settings, machine_keys=["b", "c"])


def test_many_machines_are_fetched_in_several_goes(session, settings, make_machine, roll_up, monkeypatch):
    monkeypatch.setattr(columnar, "MACHINES_AT_ONCE", 2)
    for number in range(5):
        roll_up(make_machine(f"m{number}"), number, mean=float(number))
    history = load_history(session, settings)
    assert history.mean[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_an_empty_database_is_an_empty_history(session, settings):
    history = load_history(session, settings)
    assert history.mean.shape == (0, 0)
    with pytest.raises(BadInput, match="no machines"):
        training_moments(history, None, (24,), 0)


def test_rollups_of_another_bucket_are_refused(session, settings):
    session.execute(insert(RollupState).values(id=1, bucket_seconds=60))
    with pytest.raises(Conflict, match="buckets of 60 s"):
        load_history(session, settings)


def test_the_fingerprint_changes_with_any_value_and_with_nothing_else(session, settings, make_machine, roll_up):
    machine = make_machine()
    roll_up(machine, 0)
    first = fingerprint(load_history(session, settings))
    assert fingerprint(load_history(session, settings)) == first
    roll_up(machine, 1)
    assert fingerprint(load_history(session, settings)) != first


ROWS = [(machine, hour, 1.0) for machine in range(6) for hour in range(3000)]
FAILURES = events_of(*((machine, "failure", 1000 + 300 * machine) for machine in range(3)))


def test_training_without_machines_readings_or_failures_is_refused_in_a_sentence():
    with pytest.raises(BadInput, match="no rolled-up readings"):
        training_moments(history_of([], machines=machines_of(1)), None, (24,), 0)
    with pytest.raises(BadInput, match="0 found before 2025-"):
        training_moments(history_of(ROWS, FAILURES), time_at(500), (24,), 0)
    short = history_of([(0, hour, 1.0) for hour in range(10)], events_of((0, "service", 5), (0, "failure", 0)))
    with pytest.raises(BadInput, match="too short"):
        training_moments(short, None, (2400,), 0)


def test_a_dozen_moments_of_each_interval_tell_of_a_failure_and_the_others_are_thinned_too():
    moments, outcomes = training_moments(history_of(ROWS, FAILURES), None, (24, 168), 0)
    for interval, hours in enumerate((24, 144)):
        inside = outcomes.interval == interval
        assert np.unique(outcomes.failure[inside], return_counts=True)[1].tolist() == [12, 12, 12]
        assert (outcomes.weight[inside] == hours / 12).all()
    free = outcomes.interval == 2
    assert free.sum() == 5000 + 3 * 12  # a dozen of the day after each failure as well
    assert outcomes.weight.sum() == pytest.approx(len(ROWS), rel=0.01)
    assert set(moments.machine) == set(range(6))
    assert len(set((moments.as_of[free] // 3600) % 24)) == 24


def test_an_interval_of_fewer_moments_than_a_dozen_is_kept_whole():
    _, outcomes = training_moments(history_of(ROWS, FAILURES), None, (6, 168), 0)
    near = outcomes.interval == 0
    assert near.sum() == 3 * 6
    assert (outcomes.weight[near] == 1).all()


def test_the_number_of_moments_is_bounded_and_the_nearest_are_spared():
    history = history_of(ROWS, FAILURES)
    _, whole = training_moments(history, None, (6, 24, 168), 0)
    moments, outcomes = training_moments(history, None, (6, 24, 168), 0, most=140)
    assert len(moments) <= 140
    assert np.bincount(whole.interval)[:3].tolist() == [18, 36, 36]
    assert np.bincount(outcomes.interval)[:3].tolist() == [17, 17, 18]
    for interval in range(4):
        kept = outcomes.weight[outcomes.interval == interval].sum()
        assert kept == pytest.approx(whole.weight[whole.interval == interval].sum())


def test_a_seed_repeats_the_moments_and_another_draws_others():
    history = history_of(ROWS, FAILURES)
    first, again, other = (training_moments(history, None, (24,), seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.as_of, again.as_of)
    assert not np.array_equal(first.as_of, other.as_of)


def test_moments_lie_at_ends_of_buckets_before_until_and_outside_of_downtimes():
    events = events_of((0, "failure", 1000, {"ended": 1100}))
    moments, _ = training_moments(history_of(ROWS, events), time_at(2000), (24,), 0)
    hours = (moments.as_of - time_at(0).timestamp()) / 3600
    assert (moments.as_of % 3600 == 0).all()
    assert hours.max() <= 2000 - 24
    assert not ((moments.machine == 0) & (hours > 1000) & (hours < 1100)).any()


def test_thinning_draws_no_row_twice():
    _, outcomes = training_moments(history_of(ROWS, FAILURES), None, (24, 168), 0)
    nobody = np.zeros(len(outcomes), bool)
    rows, weight = thinned(outcomes, nobody, np.random.default_rng(0), 700)
    assert len(np.unique(rows)) == len(rows) == len(weight) <= 700


def test_what_follows_a_failure_is_met_as_often_as_what_comes_before_it():
    moments, outcomes = training_moments(history_of(ROWS, FAILURES), None, (24, 168), 0)
    at = FAILURES[FAILURES["kind"] == "failure"]["started_at"].astype("int64").to_numpy() // 1_000_000
    machine = FAILURES[FAILURES["kind"] == "failure"]["machine"].to_numpy()
    since = moments.as_of[:, None] - at
    just_after = ((since > 0) & (since <= 24 * 3600) & (moments.machine[:, None] == machine)).any(axis=1)
    assert just_after.sum() >= 10 * len(at)
    assert outcomes.weight[just_after].max() <= 3
