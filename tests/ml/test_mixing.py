"""Each member of the ensemble counts as much as it explains, interval by interval."""

from __future__ import annotations

import numpy as np
import pytest

from ml.mixing import learn_weights
from ml.models.odds import mix


def told(outcomes, right, seed=0):
    """[n, K, M] hazards of somebody who knows the truth in the intervals named and nothing in the others."""
    draw = np.random.default_rng(seed)
    k = np.arange(len(outcomes.horizons_hours))
    failed = outcomes.interval[:, None] == k
    score = draw.normal(-3, 1.0, failed.shape) + np.where(failed & np.isin(k, right), 4.0, 0.0)
    total = 1 / (1 + np.exp(-score))
    return np.repeat(total[:, :, None] / len(outcomes.modes), len(outcomes.modes), axis=2)


def test_who_knows_more_counts_more(small_fleet):
    _, outcomes = small_fleet
    weights = learn_weights([told(outcomes, [0, 1, 2]), told(outcomes, [], seed=1)], outcomes)
    assert weights.shape == (3, 2)
    assert (weights[:, 0] >= 0.7).all()
    assert weights.sum(axis=1) == pytest.approx(1)


def test_intervals_may_be_known_by_different_members(small_fleet):
    _, outcomes = small_fleet
    weights = learn_weights([told(outcomes, [0]), told(outcomes, [2], seed=1)], outcomes)
    assert weights[0, 0] > 0.5 > weights[2, 0]


def test_equals_share_alike_and_so_do_those_without_a_failure(small_fleet):
    _, outcomes = small_fleet
    alike = told(outcomes, [0, 1, 2])
    assert learn_weights([alike, alike], outcomes) == pytest.approx(0.5)
    healthy = outcomes.take(np.flatnonzero(outcomes.interval == 3))
    assert learn_weights([told(healthy, []), told(healthy, [], seed=1)], healthy) == pytest.approx(0.5)


def test_a_weight_of_one_is_that_member(small_fleet):
    _, outcomes = small_fleet
    first, second = told(outcomes, [0]), told(outcomes, [1], seed=1)
    mixed = mix([first, second], [[1, 0], [0, 1], [1, 0]])
    assert mixed[:, [0, 2]] == pytest.approx(first[:, [0, 2]])
    assert mixed[:, 1] == pytest.approx(second[:, 1])
