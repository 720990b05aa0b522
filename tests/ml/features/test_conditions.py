"""Operating conditions are found where there are several, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from histories import history_of

from ml.features.conditions import Conditions, learn_conditions

CHANNELS = ("current_a", "pressure_bar", "speed_rpm", "temperature_c", "vibration_mm_s")
LEVELS = np.array([[10, 2, 1500, 60, 2], [25, 5, 3000, 75, 4], [26, 5.5, 3050, 90, 4]], float)
WIDTHS = np.array([[0.2, 0.02, 3, 1, 0.1], [0.4, 0.05, 5, 2, 0.3], [0.1, 0.05, 5, 2, 0.3]])


def flown(seed=0, machines=8, hours=300, wear=0.0, conditions=3):
    """Every hour another condition, in no order; wear lifts the vibration by so many deviations until the end."""
    draw = np.random.default_rng(seed)
    shape = (machines * hours, len(CHANNELS))
    number = draw.integers(0, conditions, machines * hours)
    noise = draw.normal(size=shape)
    noise[:, -1] += wear * np.tile(np.arange(hours) / hours, machines)
    values = LEVELS[number] + WIDTHS[number] * noise
    rows = [(at // hours, at % hours, *value) for at, value in enumerate(values)]
    return history_of(rows, channels=CHANNELS), number, noise


def learnt(history):
    return learn_conditions(history, np.ones(len(history.machine), bool), 0)


def test_conditions_are_found_without_being_told_also_two_that_are_close():
    history, _, _ = flown()
    found = learnt(history)
    assert found is not None
    assert sorted(found.levels[:, 3]) == pytest.approx([60, 75, 90], abs=0.5)


def test_what_remains_is_the_machine_and_not_its_condition():
    history, _, noise = flown(wear=6.0)
    seen = learnt(history).apply(history)
    for channel in range(len(CHANNELS)):
        assert np.corrcoef(seen.mean[:, channel], noise[:, channel])[0, 1] > 0.97


def test_lowest_mean_and_highest_keep_their_order_and_their_unit():
    history, _, _ = flown()
    wide = replace(history, min=history.mean - 1, max=history.mean + 1, std=np.ones_like(history.mean))
    seen = learnt(wide).apply(wide)
    assert (seen.min < seen.mean).all()
    assert (seen.mean < seen.max).all()
    assert np.allclose((seen.max - seen.min) / 2, seen.std)
    assert np.median(seen.mean[:, 2]) == pytest.approx(np.median(LEVELS[:, 2]), rel=1.1)


@pytest.mark.parametrize("wear", [0.0, 40.0])
def test_one_condition_is_left_alone_however_worn(wear):
    history, _, _ = flown(wear=wear, conditions=1)
    assert learnt(history) is None


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_noise_is_no_condition(channels):
    values = np.random.default_rng(1).normal(size=(3000, channels))
    rows = [(at // 300, at % 300, *value) for at, value in enumerate(values)]
    assert learnt(history_of(rows, channels=CHANNELS[:channels])) is None


def test_a_machine_that_changes_slowly_has_worn_and_not_changed_its_condition():
    history, number, _ = flown(machines=8)
    order = np.lexsort((number, history.machine))
    tables = {name: getattr(history, name)[order] for name in ("n", "mean", "std", "min", "max", "last")}
    assert learnt(replace(history, **tables)) is None


def test_gaps_are_kept_and_a_row_is_judged_by_what_it_has():
    history, _, _ = flown()
    mean = history.mean.copy()
    mean[::7, 1] = np.nan
    mean[3] = np.nan
    seen = learnt(history).apply(replace(history, mean=mean))
    assert np.array_equal(np.isnan(seen.mean), np.isnan(mean))
    whole = learnt(history).apply(history)
    assert np.allclose(seen.mean[7, 3], whole.mean[7, 3])


def test_no_rows_teach_nothing_and_few_channels_move_nothing():
    history, _, _ = flown()
    found = learnt(history)
    assert learn_conditions(history, np.zeros(len(history.machine), bool), 0) is None
    few = replace(history, channels=CHANNELS[:2], **{
        name: getattr(history, name)[:, :2] for name in ("n", "mean", "std", "min", "max", "last")
    })  # fmt: skip
    assert np.array_equal(found.apply(few).mean, few.mean)


def test_a_machine_without_one_channel_is_moved_alike_alone_and_in_the_fleet():
    history, _, _ = flown()
    found = learnt(history)
    mean = history.mean.copy()
    mean[history.machine == 0, 2] = np.nan
    fleet = found.apply(replace(history, mean=mean))
    others = [0, 1, 3, 4]
    rows = history.machine == 0
    alone = replace(history, channels=tuple(CHANNELS[at] for at in others), machine=history.machine[rows],
                    bucket=history.bucket[rows], **{name: getattr(history, name)[rows][:, others]
                    for name in ("n", "mean", "std", "min", "max", "last")})  # fmt: skip
    assert np.array_equal(found.apply(alone).mean, fleet.mean[rows][:, others])


def with_values(values, machines=4):
    values = np.asarray(values, float)
    hours = len(values) // machines
    rows = [(at // hours, at % hours, *value) for at, value in enumerate(values)]
    return history_of(rows, channels=[f"x{number}" for number in range(values.shape[1])])


def test_exact_set_points_beside_a_noisy_channel_are_two_conditions():
    draw = np.random.default_rng(2)
    bit = draw.integers(0, 2, 2000)
    points = np.stack([bit, 10 * bit, 1 - bit, draw.normal(60, 1, 2000)], axis=1)
    assert len(learnt(with_values(points)).centres) == 2
    assert len(learnt(with_values(points[:, :3])).centres) == 2


@pytest.mark.parametrize("shape", ["uniform", "normal"])
def test_a_load_that_may_take_any_value_has_no_conditions(shape):
    draw = np.random.default_rng(3)
    load = draw.uniform(0, 1, 2400) if shape == "uniform" else draw.normal(0.5, 0.2, 2400)
    noise = draw.normal(0, 0.01, (2400, 4))
    assert learnt(with_values(np.outer(load, [10, 5, 30, 2]) + noise)) is None


def test_a_channel_unknown_in_one_condition_is_not_wiped_out_in_the_others():
    history, number, _ = flown()
    mean = history.mean.copy()
    mean[number == 0, 3] = np.nan
    partly = replace(history, mean=mean)
    found = learn_conditions(partly, np.ones(len(number), bool), 0)
    assert np.array_equal(np.isnan(found.apply(partly).mean), np.isnan(mean))


def test_nothing_is_blown_up():
    history, number, _ = flown()
    mean = history.mean.copy()
    mean[number == 1, 3] = 75 + 1e-6 * np.random.default_rng(0).normal(size=(number == 1).sum())
    seen = learnt(replace(history, mean=mean)).apply(replace(history, mean=mean))
    assert np.nanmax(np.abs(seen.mean[:, 3])) < 200


def test_what_was_learnt_is_kept_exactly():
    history, _, _ = flown()
    found = learnt(history)
    again = Conditions.from_json(found.to_json())
    assert np.array_equal(again.apply(history).mean, found.apply(history).mean)
    assert again.channels == found.channels
