"""What the forest does beyond the laws of every model."""

from __future__ import annotations

import numpy as np

from ml.models.random_forest import RandomForest, kept_rows


def test_all_failures_are_kept_and_survivors_weigh_for_those_left_out(fleet, monkeypatch):
    monkeypatch.setattr("ml.models.random_forest.FEWEST_SURVIVORS", 50)
    monkeypatch.setattr("ml.models.random_forest.SURVIVORS_PER_FAILURE", 1)
    _, outcomes = fleet()
    rows, weight = kept_rows(outcomes, 1, np.random.default_rng(0))
    failed = outcomes.interval == 1
    assert set(np.flatnonzero(failed & (outcomes.exposure[:, 1] > 0))) <= set(rows)
    assert len(rows) < np.count_nonzero(outcomes.exposure[:, 1])
    assert np.isclose(weight.sum(), (outcomes.weight * outcomes.exposure[:, 1]).sum())


def test_rows_whose_interval_was_not_seen_teach_nothing(fleet):
    features, outcomes = fleet()
    hidden = outcomes.take(np.arange(len(outcomes)))
    unseen = np.flatnonzero((outcomes.exposure[:, 2] == 0) & (outcomes.exposure[:, 1] > 0))
    before = RandomForest(30).fit(features, outcomes, seed=1).hazards(features)
    hidden.interval[unseen[hidden.interval[unseen] == 3]] = 2
    hidden.mode[hidden.mode < 0] = 0
    after = RandomForest(30).fit(features, hidden, seed=1).hazards(features)
    assert len(unseen)
    assert np.array_equal(before, after)


def test_a_finite_forest_never_proves_a_zero(fleet):
    features, outcomes = fleet()
    hazards = RandomForest(90).fit(features, outcomes, seed=1).hazards(features)
    assert hazards.sum(axis=2).min() > 0


def test_many_intervals_share_the_trees(fleet):
    features, outcomes = fleet(machines=8, horizons=tuple(float(h) for h in range(12, 301, 12)))
    model = RandomForest().fit(features, outcomes, seed=1)
    assert {len(forest.estimators_) for forest in model._forests if forest} == {25}
    assert model.hazards(features).shape == (len(features), 25, 2)
