"""Calibration makes what was predicted happen, and trusts few failures little."""

from __future__ import annotations

import json

import numpy as np

from ml.calibration import Calibration, learn_calibration
from ml.models.base import Outcomes, cumulative_risk

HORIZONS = (24.0, 72.0, 168.0)


def simulated(n=6000, slope=1.0, shift=0.0, failures=None, seed=1):
    """Hazards as said [n, 3, 2], and outcomes drawn from log-odds slope x said + shift."""
    random = np.random.default_rng(seed)
    scores = random.normal(-2.5, 1.2, (n, 3))
    said = 1 / (1 + np.exp(-scores))
    true = 1 / (1 + np.exp(-(slope * scores + shift)))
    fell = random.random((n, 3)) < true
    interval = np.where(fell.any(axis=1), fell.argmax(axis=1), 3)
    exposure = (np.arange(3) <= interval[:, None]).astype(float)
    number = np.arange(n) if failures is None else np.arange(n) % failures
    failed = interval < 3
    nan = np.full(n, np.nan)
    outcomes = Outcomes(
        HORIZONS,
        ("a", "b"),
        interval,
        exposure,
        np.where(failed, 0, -1),
        np.where(failed, number, -1),
        nan,
        nan,
        np.ones(n),
    )
    return said[:, :, None] * np.array([0.75, 0.25]), outcomes


def test_over_confident_hazards_are_brought_back():
    hazards, outcomes = simulated(slope=0.5, shift=-1.0)
    found = learn_calibration(hazards, outcomes)
    assert np.allclose(found.slopes, 0.5, atol=0.1)
    assert np.allclose(found.shifts, -1.0, atol=0.2)
    rate = (outcomes.interval == 0).mean()
    assert abs(found.apply(hazards)[:, 0].sum(axis=1).mean() - rate) < 0.01


def test_well_calibrated_hazards_stay_as_they_are():
    hazards, outcomes = simulated()
    assert np.abs(learn_calibration(hazards, outcomes).apply(hazards) - hazards).max() < 0.03


def test_few_failures_move_it_less_than_many():
    many = learn_calibration(*simulated(slope=0.4, shift=-1.5))
    few = learn_calibration(*simulated(slope=0.4, shift=-1.5, failures=4))
    assert (np.abs(few.slopes - 1) < np.abs(many.slopes - 1)).all()


def test_without_failures_nothing_is_changed():
    hazards, outcomes = simulated()
    healthy = np.flatnonzero(outcomes.interval == 3)
    found = learn_calibration(hazards[healthy], outcomes.take(healthy))
    assert np.allclose(found.apply(hazards), hazards)


def test_weights_count():
    hazards, outcomes = simulated()
    outcomes.weight[outcomes.interval == 3] = 5
    found = learn_calibration(hazards, outcomes)
    survivors = outcomes.exposure[:, 0] > 0
    said = np.average(found.apply(hazards)[survivors, 0].sum(axis=1), weights=outcomes.weight[survivors])
    rate = np.average(outcomes.interval[survivors] == 0, weights=outcomes.weight[survivors])
    assert abs(said - rate) < 0.2 * rate


def test_even_perverse_hazards_keep_their_order_and_a_rising_curve():
    hazards, outcomes = simulated(slope=-1.0)
    found = learn_calibration(hazards, outcomes)
    assert (found.slopes > 0).all()
    after = found.apply(hazards)
    assert (np.argsort(after[:, 0].sum(axis=1)) == np.argsort(hazards[:, 0].sum(axis=1))).all()
    assert (np.diff(cumulative_risk(after), axis=1) >= 0).all()
    assert after.sum(axis=2).max() <= 1


def test_modes_keep_their_shares():
    hazards, outcomes = simulated(shift=-1.0)
    after = learn_calibration(hazards, outcomes).apply(hazards)
    assert np.allclose(after[..., 0] / after.sum(axis=2), 0.75)


def test_json_brings_it_back():
    found = learn_calibration(*simulated(slope=0.5))
    again = Calibration.from_json(json.loads(json.dumps(found.to_json())))
    assert np.array_equal(again.slopes, found.slopes)
    assert np.array_equal(again.shifts, found.shifts)


def test_certain_hazards_stay_finite():
    hazards, outcomes = simulated()
    hazards[:100], hazards[100:200] = 0.0, 0.5
    assert np.isfinite(learn_calibration(hazards, outcomes).apply(hazards)).all()
