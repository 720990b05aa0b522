"""A sensor that moved is found, and a fleet that did not is left in peace, however few its machines."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from histories import history_of_fleet

from ml.drift import FEWEST_MACHINES, compare, stability
from ml.endings import in_use
from ml.features.builder import build
from ml.features.catalogue import catalogue_for
from ml.features.history import Moments
from ml.reference import (
    BLOCK_BUCKETS,
    MOMENTS,
    Blocks,
    Reference,
    channels_of,
    columns_of,
    recent_blocks,
    spread,
)
from ml.simulate import signals
from ml.simulate.fleet import simulate_fleet

WEEK = BLOCK_BUCKETS * 3600
LEARNT_WEEKS, LATER_WEEKS = 12, 6
MACHINES, SIZES = 120, (20, 60)
CHANNELS = np.array(["heat", "shake"])
SHAKE = [1, 3]


def made_up(machines, weeks=8, seed=0):
    """A reference and the week after it, when nothing moved; machines differ, a week's moments hang together.

    Columns: the levels of CHANNELS, what each is above its machine's own, and one risk.
    """
    draw = np.random.default_rng(seed)
    level = 3 * draw.standard_normal((machines, 1, 1, 2))
    own = draw.standard_normal((machines, weeks + 1, 1, 2))
    own = own + 0.3 * draw.standard_normal((machines, weeks + 1, MOMENTS, 2))
    values = np.concatenate([level + own, own], axis=3).astype(np.float32)
    risk = draw.beta(1, 9, (machines, weeks + 1, MOMENTS, 1)).astype(np.float32)
    keys = np.array([f"m{number}" for number in range(machines)])
    past = (each[:, :-1].reshape(-1, MOMENTS, each.shape[3]) for each in (values, risk))
    reference = Reference(CHANNELS, np.repeat(keys, weeks), np.tile(np.arange(weeks), machines), *past)
    return reference, Blocks(keys, values[:, -1], risk[:, -1])


def moved(recent, by, machines=slice(None)):
    """Both columns of the second channel, on these machines."""
    values = recent.values.copy()
    values[machines, :, 1] += by
    values[machines, :, 3] += by
    return replace(recent, values=values)


def test_the_index_is_the_sum_of_differences_times_log_ratios():
    assert stability(np.array([2, 8]), np.array([5, 5])) == pytest.approx(
        (0.2 - 0.5) * np.log(0.4) + (0.8 - 0.5) * np.log(1.6)
    )
    assert stability(np.array([3, 1]), np.array([30, 10])) == pytest.approx(0)
    assert np.isfinite(stability(np.array([0, 4]), np.array([4, 0])))
    assert stability(np.array([0, 0]), np.array([4, 0])) == 0


@pytest.mark.parametrize("machines", [10, 20, 60])
def test_what_did_not_move_is_called_moved_no_oftener_than_said(machines):
    found = [compare(*made_up(machines, seed=seed)) for seed in range(100)]
    assert np.mean([bool(each.moved) or each.risks[0].moved for each in found]) <= 0.03


@pytest.mark.parametrize("machines", [12, 20, 60])
def test_a_shift_that_is_small_beside_the_differences_of_machines_is_found(machines):
    reference, recent = made_up(machines)
    assert compare(reference, moved(recent, 1.5)).moved == ["shake"]


def test_chance_is_the_same_whenever_it_is_asked():
    reference, recent = made_up(20)
    assert compare(reference, recent) == compare(reference, recent)


def test_machines_in_any_order_are_the_same_machines():
    reference, recent = made_up(20)
    turned = recent.take(np.arange(20)[::-1])
    one, other = (compare(reference, moved(each, 1.5)).channels["shake"] for each in (recent, turned))
    assert (one.psi, one.moved) == (pytest.approx(other.psi), other.moved)


def test_too_few_machines_say_nothing():
    reference, recent = made_up(FEWEST_MACHINES - 1)
    found = compare(reference, moved(recent, 100))
    assert found.known == FEWEST_MACHINES - 1
    assert found.moved == []
    assert found.channels["shake"].psi > 1


def test_new_machines_are_shown_and_do_not_hide_what_the_known_ones_tell():
    reference, recent = made_up(20)
    newcomers = Blocks(
        np.array([f"new{number}" for number in range(30)]),
        np.full((30, *recent.values.shape[1:]), 50, np.float32),
        np.zeros((30, *recent.risk.shape[1:]), np.float32),
    )
    both = Blocks(
        *(np.concatenate([getattr(recent, each.name), getattr(newcomers, each.name)]) for each in fields(Blocks))
    )
    found, alone = compare(reference, both).channels["shake"], compare(reference, recent).channels["shake"]
    assert found.machines == 50
    assert found.outside == pytest.approx(30 / 50, abs=0.03)
    assert (found.psi, found.moved) == (alone.psi, alone.moved)


def test_a_fleet_of_new_machines_only_is_compared_and_nothing_claimed():
    reference, recent = made_up(20)
    strangers = moved(replace(recent, machine=np.char.add("x", recent.machine)), 50)
    found = compare(reference, strangers)
    assert (found.known, found.moved) == (0, [])
    assert found.channels["shake"].psi > 1


def test_a_week_like_one_that_was_learnt_from_is_seldom_news():
    def news(seed, learnt):
        reference, recent = made_up(60, seed=seed)
        values = reference.values.copy()
        values[np.ix_(learnt & (reference.stretch == 3), range(MOMENTS), SHAKE)] -= 4
        return compare(replace(reference, values=values), moved(recent, -4)).moved == ["shake"]

    holidays = np.ones(8 * 60, bool)
    assert all(news(seed, ~holidays) for seed in range(10))
    assert sum(news(seed, holidays) for seed in range(10)) <= 1


def test_a_sensor_in_other_units_is_found_and_said_to_be_outside():
    reference, recent = made_up(20)
    found = compare(reference, moved(recent, 1000)).channels["shake"]
    assert found.moved
    assert found.outside == 1.0


def test_risks_that_are_spread_otherwise_are_found_and_move_no_channel():
    reference, recent = made_up(60)
    found = compare(reference, replace(recent, risk=np.full_like(recent.risk, 0.6)))
    assert found.risks[0].moved
    assert found.risks[0].ratio == pytest.approx(6, rel=0.1)
    assert found.moved == []


def test_risks_whose_mean_changed_by_less_than_half_have_not_moved():
    reference, recent = made_up(60)
    mean = reference.risk.mean()
    found = compare(reference, replace(recent, risk=np.full_like(recent.risk, mean * 1.4)))
    assert found.risks[0].psi > 1
    assert not found.risks[0].moved


def test_a_channel_that_many_machines_no_longer_send_is_gone_and_not_moved():
    reference, recent = made_up(60)
    partly = compare(reference, moved(recent, np.nan, slice(20))).channels["shake"]
    assert (partly.gone, partly.moved, partly.machines) == (True, False, 40)
    assert partly.unknown == pytest.approx(1 / 3)
    nobody = compare(reference, moved(recent, np.nan)).channels["shake"]
    assert (nobody.now, nobody.psi, nobody.gone, nobody.moved) == (None, None, True, False)


def test_a_channel_that_never_was_and_still_is_not_says_nothing():
    reference, recent = made_up(20)
    values = reference.values.copy()
    values[:, :, SHAKE] = np.nan
    found = compare(replace(reference, values=values), moved(recent, np.nan)).channels["shake"]
    assert (found.then, found.now, found.gone, found.moved) == (None, None, False, False)


def test_a_constant_channel_is_no_error():
    reference, recent = made_up(20)
    still = replace(reference, values=np.ones_like(reference.values))
    assert compare(still, replace(recent, values=np.ones_like(recent.values))).moved == []


@pytest.mark.parametrize("machines", [0, 20])
def test_with_nothing_learnt_from_or_nobody_there_nothing_is_said(machines):
    reference, recent = made_up(20)
    nothing = replace(
        reference, **{name: getattr(reference, name)[:0] for name in ("machine", "stretch", "values", "risk")}
    )
    assert compare(nothing, recent.take(np.arange(machines))).moved == []
    assert compare(reference, recent.take(np.arange(0))).moved == []


@pytest.fixture(scope="module")
def plant():
    """Blocks of simulated machines over 18 weeks without seasons, which are a drift of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "ambient_c", lambda time: 21.0)
        until = datetime(2026, 11, 20, tzinfo=UTC)
        history = history_of_fleet(simulate_fleet(MACHINES, 7 * (LEARNT_WEEKS + LATER_WEEKS), until, seed=5))
    features = catalogue_for(history.events, history.channels, history.bucket_seconds)
    sampled = columns_of(channels_of([feature.name for feature in features]))
    every = Moments(history.machine, (history.bucket + 1) * history.bucket_seconds)
    every = every.take(in_use(history, every))
    rows, _, stretch = spread(every, np.ones(len(every)), WEEK)
    wanted = [feature for feature in features if feature.name in sampled]
    return history, build(history, every.take(rows.ravel()), wanted, blocks=False), np.repeat(stretch, MOMENTS)


def fleets(size):
    """Machines of the plant in fleets of this size."""
    return np.random.default_rng(size).permutation(MACHINES).reshape(-1, size)


def compared(plant, machines, now, change=lambda column, values, width: values):
    """What moved of a fleet's week `now`, counted back, against LEARNT_WEEKS before; `change` alters the week."""
    history, seen, week = plant
    ours = np.isin(seen.moments.machine, machines)
    past, recent = seen.take(ours & (week > now) & (week <= now + LEARNT_WEEKS)), seen.take(ours & (week == now))
    reference = Reference.learn(history, past, np.ones(len(past)), np.zeros((len(past), 0)))
    for column, name in enumerate(seen.names):
        own = np.zeros(MACHINES)
        own[machines] = [np.nanstd(past.values[past.moments.machine == each, column]) for each in machines]
        recent.values[:, column] = change(name, recent.values[:, column], own[recent.moments.machine])
    nothing = np.zeros((len(recent), 0))
    return compare(reference, recent_blocks(history, recent, nothing, reference.channels)).moved


@pytest.mark.parametrize("size", SIZES)
def test_an_unchanged_simulated_fleet_raises_few_false_alarms(plant, size):
    asked = [bool(compared(plant, fleet, now)) for fleet in fleets(size) for now in range(LATER_WEEKS)]
    assert np.mean(asked) <= 0.06


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channel", ["temperature_c", "vibration_mm_s"])
def test_one_own_deviation_more_on_every_simulated_machine_is_found_and_nothing_else(plant, size, channel):
    def more(name, values, width):
        return values + width if name.startswith(channel) else values

    assert compared(plant, fleets(size)[0], 0, more) == [channel]


@pytest.mark.parametrize("size", SIZES)
def test_a_simulated_channel_in_other_units_is_found(plant, size):
    def fahrenheit(name, values, width):
        return values * 1.8 + 32 if name == "temperature_c.mean.24" else values

    assert compared(plant, fleets(size)[0], 0, fahrenheit) == ["temperature_c"]
