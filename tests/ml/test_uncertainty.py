"""The band tells how far fold models lie apart, by level of risk."""

from __future__ import annotations

import numpy as np

from ml.models.odds import from_log_odds
from ml.uncertainty import Spread


def risks(noise, n=400, folds=3, seed=1):
    random = np.random.default_rng(seed)
    scores = random.uniform(-6, 2, (n, 1)) + np.array([0.0, 0.5])
    return from_log_odds(scores + noise * random.normal(size=(folds, n, 1)))


def test_models_that_agree_leave_no_band():
    said = risks(0.0)
    low, high = Spread.learn(said).band(said[0])
    assert np.allclose(low, said[0])
    assert np.allclose(high, said[0])


def test_the_wider_apart_the_models_the_wider_the_band():
    said = risks(0.0)[0]
    widths = [np.subtract(*Spread.learn(risks(noise)).band(said)[::-1]).mean() for noise in (0.1, 0.5, 1.0)]
    assert widths[0] < widths[1] < widths[2]


def test_the_band_is_the_jackknifes():
    """With three groups the variance is 2/3 of the sum of squares, which is 4/3 of the sample variance."""
    deviations = Spread.learn(risks(0.3, n=20_000)).deviations
    assert np.allclose(deviations, 0.3 * np.sqrt(4 / 3), rtol=0.1)


def test_too_few_rows_or_models_say_nothing():
    assert Spread.learn(risks(0.3, n=10)) is None
    assert Spread.learn(risks(0.3, folds=1)) is None
    assert Spread.learn(np.zeros((3, 0, 2))) is None


def test_a_machine_without_a_prediction_has_no_band():
    low, high = Spread.learn(risks(0.3)).band(np.full((1, 2), np.nan))
    assert np.isnan([low, high]).all()
