"""What the network does beyond the laws of every model."""

from __future__ import annotations

import numpy as np

from ml.models.lstm import base_rates, class_weights, spared_machines
from ml.models.scaling import FARTHEST, Scaling


def test_only_intervals_that_were_seen_have_a_weight(fleet):
    _, outcomes = fleet()
    weights = class_weights(outcomes)
    assert weights.shape == (len(outcomes), 3, 3)
    assert np.array_equal(weights.sum(axis=2) > 0, outcomes.exposure > 0)
    failed = (outcomes.interval == 1) & (outcomes.exposure[:, 1] > 0)
    assert (weights[failed, 1, 1:].sum(axis=1) > 0).all()
    assert (weights[failed, 1, 0] == 0).all()


def test_base_rates_are_shares_and_never_zero(fleet):
    _, outcomes = fleet()
    rates = base_rates(class_weights(outcomes.take(np.flatnonzero(outcomes.interval == 3))))
    assert np.allclose(rates.sum(axis=1), 1)
    assert rates.min() > 0


def test_whole_machines_say_when_to_stop_and_most_still_teach(fleet):
    features, outcomes = fleet()
    spared = spared_machines(features.moments.machine, outcomes, np.random.default_rng(0)) == 1
    judges = set(features.moments.machine[spared])
    assert judges
    assert judges.isdisjoint(features.moments.machine[~spared])
    assert (outcomes.failure[spared] >= 0).any()
    assert len(judges) <= 12


def test_with_few_machines_none_is_spared(fleet):
    features, outcomes = fleet(machines=3)
    assert not spared_machines(features.moments.machine, outcomes, np.random.default_rng(0)).any()


def test_scaling_is_robust_and_tells_of_gaps():
    values = np.random.default_rng(1).normal(10, 2, (500, 4)).astype(np.float32)
    values[0, 0] = 1e30
    values[:50, 1:3] = np.nan
    values[:, 3] = np.nan
    scaling = Scaling.learn(values)
    scaled = scaling.apply(values)
    assert scaled.shape == (500, 5)
    assert scaled[0, 0] == FARTHEST
    assert abs(np.std(scaled[1:, 0]) - 1) < 0.1
    assert list(scaled[[0, 100], 4]) == [1, 0]
    assert (scaled[:, 3] == 0).all()
    assert np.isfinite(scaled).all()
