"""The sample a model keeps: whole machines in stretches of a week, each seen alike."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from histories import history_of, machines_of

from ml.features.history import Features, Moments
from ml.models.arrays import to_npz
from ml.reference import FEWEST_STRETCHES, MOMENTS, Reference, channels_of, recent_blocks, spread

WEEK = 168 * 3600
NAMES = ("temperature_c.mean.24", "temperature_c.baseline_deviations.72", "runtime_hours.mean.24", "age")


def history_with(keys):
    return history_of([], machines=machines_of(len(keys)).assign(key=list(keys)))


def features_of(machine, hours, values):
    moments = Moments(np.asarray(machine), np.asarray(hours) * 3600)
    columns = np.repeat(np.asarray(values, np.float32)[:, None], len(NAMES), axis=1)
    return Features(moments, NAMES, columns, (), np.zeros((len(columns), 0, 0), np.float32))


def weekly(machines, weeks, every=6):
    hours = np.tile(np.arange(every, weeks * 168 + 1, every), machines)
    machine = np.repeat(np.arange(machines), weeks * 168 // every)
    return features_of(machine, hours, machine + hours / 1000)


def reference(seen, keys, risk=None):
    risk = np.zeros((len(seen), 1)) if risk is None else risk
    return Reference.learn(history_with(keys), seen, np.ones(len(seen)), risk)


def test_what_grows_by_itself_is_not_sampled():
    assert channels_of(NAMES).tolist() == ["temperature_c"]


def test_a_block_is_seen_evenly_by_what_its_rows_stand_for():
    moments = Moments(np.zeros(4, np.int64), np.array([1, 2, 3, 4]) * 3600)
    rows, machine, stretch = spread(moments, np.array([1.0, 1, 1, 5]), WEEK)
    # Of eight moments in all, those at 1, 3, 5 and 7: the second row, and thrice the one that stands for five.
    assert rows.tolist() == [[1, 3, 3, 3]]
    assert (machine.tolist(), stretch.tolist()) == ([0], [0])


def test_rows_in_any_order_give_the_same_blocks():
    seen = weekly(3, 3)
    order = np.random.default_rng(0).permutation(len(seen))
    one, other = reference(seen, ("a", "b", "c")), reference(seen.take(order), ("a", "b", "c"))
    assert np.array_equal(one.values, other.values)


def test_a_machines_first_week_has_no_baseline_and_is_left_out_where_there_is_another():
    seen = weekly(2, 4)
    late = seen.take((seen.moments.machine == 0) | (seen.moments.as_of > 3 * WEEK))
    kept = reference(late, ("a", "b"))
    assert {key: kept.stretch[kept.machine == key].tolist() for key in "ab"} == {"a": [2, 1, 0], "b": [0]}


def test_of_a_large_fleet_fewer_weeks_are_kept_and_never_fewer_machines():
    keys = tuple(f"m{number}" for number in range(900))
    kept = reference(weekly(900, 9, every=24), keys)
    assert set(kept.machine.tolist()) == set(keys)
    assert len(np.unique(kept.stretch)) == FEWEST_STRETCHES


def test_the_recent_blocks_are_one_a_machine_in_the_same_columns():
    seen = features_of(np.repeat([2, 0], MOMENTS), np.arange(2 * MOMENTS), np.arange(2 * MOMENTS))
    recent = recent_blocks(history_with("abc"), seen, np.zeros((len(seen), 3)), channels_of(NAMES))
    assert recent.machine.tolist() == ["c", "a"]
    assert recent.seen.shape == (2, MOMENTS, 2 + 3)
    assert recent.values[1, :, 0].tolist() == [4, 5, 6, 7]


@pytest.fixture
def kept():
    seen = weekly(2, 3)
    seen.values[5, 0] = np.nan
    seen.values[6, 0] = np.inf
    return reference(seen, ("press-ä", "b"), risk=np.linspace(0, 1, len(seen))[:, None])


def test_it_comes_back_out_of_its_bytes_and_old_models_have_none(kept):
    again = Reference.from_parts(kept.parts())
    for each in fields(kept):
        old, new = getattr(kept, each.name), getattr(again, each.name)
        assert np.array_equal(old, new, equal_nan=old.dtype.kind == "f")
    assert Reference.from_parts({"forest.json": b"{}"}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"machine": np.array(["b"])},
        {"stretch": np.zeros((4, 1), np.int64)},
        {"channels": np.array(["temperature_c", "vibration_mm_s"])},
        {"values": np.zeros((4, MOMENTS + 1, 2), np.float32)},
        {"risk": np.zeros((3, MOMENTS, 1), np.float32)},
        {"risk": np.full((4, MOMENTS, 1), np.inf, np.float32)},
        {"values": np.full((4, MOMENTS, 2), -np.inf, np.float32)},
    ],
)
def test_what_does_not_fit_together_or_was_never_measured_is_refused(kept, change):
    assert len(kept.stretch) == 4
    with pytest.raises(ValueError, match="the sample of what it learnt from"):
        Reference.from_parts(replace(kept, **change).parts())


def test_a_part_of_something_else_is_refused():
    with pytest.raises(TypeError):
        Reference.from_parts({Reference.PART: to_npz({"machine": np.array(["b"])})})


def test_nothing_learnt_from_is_no_error():
    empty = reference(features_of(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)), ())
    assert empty.values.shape == (0, MOMENTS, 2)
    assert len(Reference.from_parts(empty.parts()).blocks) == 0
