"""What counts as moved: machines are the sample, and chance of few of them is no drift."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml.drift import BINS, CHANCE, FEWEST_MACHINES, Distribution, Reference, by_chance, compare, farthest, stability
from ml.features.history import Features, Moments

NAMES = ("vibration_mm_s.mean.168", "runtime_hours.mean.168", "vibration_mm_s.slope.24", "age_hours")


def seen(vibration, machine=None):
    """Features of one moment each, or of the machines given."""
    n = len(vibration)
    moments = Moments(np.arange(n) if machine is None else machine, np.arange(n))
    values = np.stack([vibration, np.arange(n), np.zeros(n), np.arange(n)], axis=1).astype(np.float32)
    return Features(moments, NAMES, values, (), np.zeros((n, 0, 0), np.float32))


def taught(machines=60, rows=20, seed=0):
    """(reference, level of each machine): every machine has a level of its own and wanders around it."""
    random = np.random.default_rng(seed)
    level = random.normal(2, 0.5, machines)
    machine = np.repeat(np.arange(machines), rows)
    vibration = level[machine] + random.normal(0, 0.1, len(machine))
    risk = random.beta(1, 9, (len(machine), 2))
    return Reference.learn(seen(vibration, machine), risk, np.ones(len(machine))), level


def now(level, seed=1, risk=None):
    random = np.random.default_rng(seed)
    features = seen(level + random.normal(0, 0.1, len(level)))
    return features, random.beta(1, 9, (len(level), 2)) if risk is None else risk


def test_only_channels_levels_are_compared_not_what_grows_by_itself():
    assert set(taught()[0].channels) == {"vibration_mm_s"}


@pytest.mark.parametrize("machines", [12, 20, 60, 300])
def test_what_did_not_move_is_called_moved_no_oftener_than_said(machines):
    false = 0
    for seed in range(60):
        reference, level = taught(machines, seed=seed)
        found = compare(reference, *now(level, seed=1000 + seed))
        false += bool(found.moved) or any(each.moved for each in found.risks)
    assert false / 60 <= CHANCE


def test_a_sensor_in_other_units_is_found_and_said_to_be_outside():
    reference, level = taught(20)
    found = compare(reference, *now(level / 25.4))
    assert found.moved == ["vibration_mm_s"]
    assert found.channels["vibration_mm_s"].outside == 1.0


def test_a_shift_of_one_deviation_of_the_fleet_is_found_with_sixty_machines():
    reference, level = taught(60)
    assert compare(reference, *now(level + 0.5)).channels["vibration_mm_s"].moved


def test_risks_that_are_spread_otherwise_are_found():
    reference, level = taught(60)
    found = compare(reference, *now(level, risk=np.full((60, 2), 0.6)))
    assert all(each.moved for each in found.risks)
    assert found.moved == []


def test_too_few_machines_say_nothing():
    reference, level = taught(60)
    found = compare(reference, *now(level[: FEWEST_MACHINES - 1] * 10))
    assert not found.channels["vibration_mm_s"].moved
    assert found.moved == []


def test_a_channel_that_many_machines_no_longer_send_is_told():
    reference, level = taught(60)
    partly = level.copy()
    partly[:20] = np.nan
    found = compare(reference, *now(partly)).channels["vibration_mm_s"]
    assert found.gone
    assert found.unknown == pytest.approx(1 / 3)
    nobody = compare(reference, *now(np.full(60, np.nan))).channels["vibration_mm_s"]
    assert nobody.now is None
    assert nobody.psi is None
    assert nobody.gone


def test_quantiles_go_by_weight():
    heavy = Distribution.of(np.array([1.0, 2.0, np.nan]), np.array([1.0, 99.0, 100.0]), np.array([0, 1, 2]))
    assert heavy.quantiles[20] == pytest.approx(2.0, abs=0.05)
    assert heavy.unknown == pytest.approx(0.5)
    assert heavy.machines == 2


def test_stability_and_distance_of_known_cases():
    flat = Distribution(np.linspace(0, 1, 41), 0.0, 10_000)
    same = np.linspace(0.0005, 0.9995, 1000)
    assert stability(flat, same) == pytest.approx(0, abs=1e-3)
    assert farthest(flat, same) < 0.002
    half = np.sort(np.linspace(0.0005, 0.4995, 1000))
    # Five bins of a tenth hold a fifth each, the other five nothing but the half machine that is added.
    p, q = (200.5 / 1005, 0.5 / 1005), 0.1
    expected = 5 * ((p[0] - q) * np.log(p[0] / q) + (p[1] - q) * np.log(p[1] / q))
    assert stability(flat, half) == pytest.approx(expected, rel=1e-2)
    assert farthest(flat, half) == pytest.approx(0.5, abs=0.002)
    assert BINS == 10
    assert by_chance(20, 20, 0.05) == pytest.approx(1.358 * np.sqrt(0.1), abs=1e-3)


def test_a_constant_channel_is_no_error():
    still = Distribution.of(np.full(50, 3.0), np.ones(50), np.arange(50))
    assert np.isfinite(stability(still, np.full(12, 3.0)))
    assert farthest(still, np.full(12, 3.0)) == 0


def test_a_reference_survives_json():
    reference, level = taught()
    again = Reference.from_json(json.loads(json.dumps(reference.to_json())))
    assert compare(again, *now(level)) == compare(reference, *now(level))
    empty = Distribution.of(np.full(3, np.nan), np.ones(3), np.arange(3))
    kept = Reference({"x": empty}, ())
    assert Reference.from_json(json.loads(json.dumps(kept.to_json()))).channels["x"].machines == 0
