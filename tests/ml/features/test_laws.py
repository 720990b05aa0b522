"""No-skew laws of the one builder: what it says of a moment depends on that machine's past alone."""

from __future__ import annotations

from dataclasses import replace

import histories
import numpy as np
import pandas as pd
import pytest
from histories import FIRST_BUCKET, HOUR, moments_at, random_moments, rows_where

from ml.features import builder
from ml.features.builder import STEPS, build
from ml.features.catalogue import WINDOWS, catalogue_for
from ml.features.history import Moments
from ml.features.rows import Rows
from ml.features.standstill import stood

SEEDS = (1, 2, 3)
NIGHT = 6


def random_history(seed, **kinds):
    """Machines that stand at night, where their current is measured."""
    history = histories.random_history(seed, **kinds)
    if "current_a" not in history.channels:
        return history
    night = history.bucket % 24 < NIGHT
    shown = {name: getattr(history, name).copy() for name in ("mean", "min", "max", "last")}
    for table in shown.values():
        table[night, history.channels.index("current_a")] = 0.01
        if "runtime_hours" in history.channels:
            evening = history.bucket // 24 * 24 - 1 - FIRST_BUCKET
            table[night, history.channels.index("runtime_hours")] = (evening % 300 + 5)[night]
    history = replace(history, **shown)
    assert 0.1 < stood(history, Rows(history.machine, history.bucket)).mean() < 0.5
    return history


def everything(history):
    return catalogue_for(history.events, history.channels, HOUR)


def assert_equal(left, right):
    assert left.names == right.names
    np.testing.assert_array_equal(left.values, right.values)
    np.testing.assert_array_equal(left.blocks, right.blocks)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_moments_changes_nothing(seed):
    history = random_history(seed)
    moments = random_moments(seed, history)
    shuffled = np.random.default_rng(seed).permutation(len(moments))
    features = everything(history)
    assert_equal(build(history, moments, features).take(shuffled), build(history, moments.take(shuffled), features))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_machine_alone_looks_as_it_does_in_the_fleet(seed):
    history = random_history(seed)
    moments = random_moments(seed, history)
    features = everything(history)
    fleet = build(history, moments, features)
    for machine in range(len(history.machines)):
        events = history.events[history.events["machine"] == machine].assign(machine=0)
        alone = rows_where(history, history.machine == machine, events)
        alone = replace(alone, machine=alone.machine * 0, machines=history.machines.iloc[[machine]].reset_index())
        own = moments.machine == machine
        there = Moments(moments.machine[own] * 0, moments.as_of[own])
        np.testing.assert_array_equal(fleet.values[own], build(alone, there, features).values)
        np.testing.assert_array_equal(fleet.blocks[own], build(alone, there, features).blocks)


@pytest.mark.parametrize("seed", SEEDS)
def test_training_at_past_times_sees_what_scoring_saw_then(seed):
    history = random_history(seed)
    moments = random_moments(seed, history)
    features = everything(history)
    trained = build(history, moments, features)
    for row in range(0, len(moments), 10):
        then = moments.take(np.array([row]))
        known = (history.bucket + 1) * HOUR <= then.as_of[0]
        started = history.events["started_at"] < pd.Timestamp(then.as_of[0], unit="s", tz="UTC")
        scored = build(rows_where(history, known, history.events[started]), then, features)
        assert_equal(trained.take(np.array([row])), scored)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_at_or_after_as_of_changes_a_feature(seed):
    history = random_history(seed)
    hour = 500
    moments = random_moments(seed, history, hours=hour)
    limit = moments.as_of.max()
    future = (history.bucket + 1) * HOUR > limit
    scrambled = {
        name: np.where(future[:, None], 1e6, getattr(history, name))
        for name in ("n", "mean", "std", "min", "max", "last")
    }
    events = history.events.copy()
    later = events["started_at"] >= pd.Timestamp(limit, unit="s", tz="UTC")
    events.loc[later, ["code", "component"]] = ["E1", "bearing"]
    assert future.any()
    assert later.any()
    features = everything(history)
    assert_equal(
        build(history, moments, features), build(replace(history, events=events, **scrambled), moments, features)
    )


def test_a_bucket_that_ends_after_as_of_is_not_seen_and_one_that_ends_then_is():
    history = random_history(1, share=1.0)
    features = everything(history)
    end = (history.bucket[10] + 1) * HOUR
    now, before = (Moments(np.array([0]), np.array([t])) for t in (end, end - HOUR))
    changed = replace(history, mean=np.where(np.arange(len(history.mean))[:, None] == 10, 1e6, history.mean))
    assert_equal(build(history, before, features), build(changed, before, features))
    assert not np.array_equal(
        build(history, now, features).values, build(changed, now, features).values, equal_nan=True
    )


def test_the_size_of_the_chunks_changes_nothing(monkeypatch):
    history = random_history(4)
    moments = random_moments(4, history)
    features = everything(history)
    whole = build(history, moments, features)
    monkeypatch.setattr(builder, "CHUNK_PLACES", 100)
    assert_equal(whole, build(history, moments, features))


def test_a_late_reading_gives_what_it_would_have_given_in_time():
    history = random_history(5)
    moments = random_moments(5, history)
    features = everything(history)
    late = np.arange(len(history.machine)) % 7 == 3
    first = rows_where(history, ~late)
    assert not np.array_equal(
        build(first, moments, features).values, build(history, moments, features).values, equal_nan=True
    )
    order = np.lexsort((history.bucket, history.machine))
    assert_equal(build(history, moments, features), build(rows_where(history, order), moments, features))


def test_a_channel_the_history_lacks_is_unknown_and_the_others_stay():
    history = random_history(6)
    moments = random_moments(6, history)
    features = everything(history)
    fewer = random_history(6)
    keep = [i for i, c in enumerate(history.channels) if c != "vibration_mm_s"]
    fewer = replace(
        history,
        channels=tuple(history.channels[i] for i in keep),
        **{name: getattr(history, name)[:, keep] for name in ("n", "mean", "std", "min", "max", "last")},
    )
    whole, part = build(history, moments, features), build(fewer, moments, features)
    gone = np.array([f.channel == "vibration_mm_s" for f in features])
    assert np.isnan(part.values[:, gone]).all()
    np.testing.assert_array_equal(part.values[:, ~gone], whole.values[:, ~gone])
    assert part.channels == whole.channels


def test_shapes_are_as_promised_even_without_moments_or_rows():
    history = random_history(7)
    features = everything(history)
    none = Moments(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert build(history, none, features).values.shape == (0, len(features))
    empty = rows_where(history, np.zeros(len(history.machine), dtype=bool))
    moments = random_moments(7, history)
    built = build(empty, moments, features)
    assert built.values.dtype == np.float32
    assert built.blocks.shape == (len(moments), STEPS, 3)
    assert np.isnan(built.blocks).all()
    assert build(history, moments, features, blocks=False).blocks.shape == (len(moments), 0, 3)


@pytest.mark.parametrize("glitch", [1e9, -1e30, 1e300])
def test_a_broken_value_leaves_no_trace_in_windows_that_do_not_hold_it(glitch):
    """Of each machine two, one of them the first row that some moments' segment looks back to.

    The usual level is a median of days, of which two are broken: another day is in the middle, no more.
    """
    history = random_history(9, share=1.0, channels=("current_a", "vibration_mm_s"))
    hour = history.bucket - FIRST_BUCKET
    bad = np.isin(hour, (200, 420))
    moments = moments_at(*((machine, hour) for machine in range(4) for hour in range(421 + WINDOWS[-1], 900)))
    features = everything(history)
    broken = replace(history, mean=np.where(bad[:, None], glitch, history.mean))
    whole, spoilt = (build(each, moments, features) for each in (history, broken))
    usual = np.array([feature.kind == "to_usual" for feature in features])
    np.testing.assert_allclose(spoilt.values[:, usual], whole.values[:, usual], rtol=0.05)
    np.testing.assert_allclose(spoilt.values[:, ~usual], whole.values[:, ~usual], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(spoilt.blocks, whole.blocks, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("level", [5e6, 1e8])
def test_of_a_channel_far_from_zero_no_later_row_changes_an_earlier_feature(level):
    history = random_history(11, share=1.0, channels=("pressure_pa",))
    high = replace(history, mean=history.mean - 50 + level)
    later = replace(high, mean=np.where((history.bucket - FIRST_BUCKET == 700)[:, None], 0.0, high.mean))
    features = everything(history)
    moments = moments_at(*((machine, hour) for machine in range(4) for hour in range(600, 700)))
    together = moments_at(*((machine, hour) for machine in range(4) for hour in range(600, 800)))
    before = together.as_of <= moments.as_of.max()
    assert_equal(build(high, moments, features), build(later, together, features).take(before))


def test_absurd_values_neither_warn_nor_leave_anything_infinite():
    history = random_history(8)
    absurd = history.mean.copy()
    absurd[::50] = 1e308
    absurd[1::50] = -1e308
    history = replace(history, mean=absurd, max=np.full_like(absurd, 1e308))
    built = build(history, random_moments(8, history), everything(history))
    assert not np.isinf(built.values).any()
    assert not np.isinf(built.blocks).any()
