"""Remaining life is read off the curve and never beyond it."""

from __future__ import annotations

import numpy as np

from ml.remaining_life import remaining_life

HORIZONS = (10.0, 20.0, 40.0)


def hazards(*totals):
    return np.array([totals])[:, :, None]


def test_a_machine_that_fails_for_certain_in_the_second_interval():
    life = remaining_life(hazards(0.0, 1.0, 0.0), HORIZONS)
    assert life.low_hours[0] == 11
    assert life.median_hours[0] == 15
    assert life.high_hours[0] == 19
    assert life.mean_hours[0] == 15
    assert not life.beyond_high[0]


def test_beyond_the_longest_horizon_it_is_capped_and_said():
    life = remaining_life(hazards(0.2, 0.0, 0.0), HORIZONS)
    assert life.median_hours[0] == 40
    assert life.high_hours[0] == 40
    assert list(map(bool, (life.beyond_low[0], life.beyond_median[0], life.beyond_high[0]))) == [False, True, True]
    assert np.isclose(life.low_hours[0], 5)


def test_a_healthy_machine_has_the_longest_horizon_as_mean():
    assert remaining_life(hazards(0.0, 0.0, 0.0), HORIZONS).mean_hours[0] == 40


def test_low_median_high_are_in_order_for_any_curve():
    random = np.random.default_rng(1)
    life = remaining_life(random.random((500, 3, 2)) / 2, HORIZONS)
    assert (life.low_hours <= life.median_hours).all()
    assert (life.median_hours <= life.high_hours).all()
    assert ((life.mean_hours >= 0) & (life.mean_hours <= 40)).all()


def test_a_machine_without_a_prediction_has_no_life_either():
    life = remaining_life(hazards(np.nan, np.nan, np.nan), HORIZONS)
    assert np.isnan([life.low_hours[0], life.median_hours[0], life.mean_hours[0]]).all()


def test_one_horizon_is_enough():
    life = remaining_life(hazards(1.0), (24.0,))
    assert life.median_hours[0] == 12
