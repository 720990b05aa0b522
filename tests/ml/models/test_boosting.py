"""What the boosted chains do beyond the laws of every model."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import skops.io

from ml.features.history import Features
from ml.models.boosting import Boosting, sound


def test_a_channel_that_one_interval_never_saw_is_no_error(fleet):
    features, outcomes = fleet()
    values = features.values.copy()
    values[outcomes.exposure[:, 0] > 0, 0] = np.nan
    values[np.flatnonzero(outcomes.exposure[:, 0] == 0)[:2], 0] = 1.0, 2.0
    partly = Features(features.moments, features.names, values, features.channels, features.blocks)
    assert np.isfinite(Boosting(30).fit(partly, outcomes, seed=1).hazards(partly)).all()


def test_learning_leaves_the_filters_of_warnings_as_they_were(fleet):
    before = list(warnings.filters)
    for _ in range(3):
        Boosting(60).fit(*fleet(), seed=1)
    assert warnings.filters == before


def test_the_mode_that_fails_is_told_apart(fleet):
    features, outcomes = fleet(machines=40, seed=8)
    others, became = fleet(seed=9)
    hazards = Boosting(100).fit(features, outcomes, seed=1).hazards(others)
    failing = np.flatnonzero(became.interval == 0)
    assert (hazards[failing, 0].argmax(axis=1) == became.mode[failing]).mean() > 0.6


def test_many_intervals_share_the_steps(fleet):
    features, outcomes = fleet(machines=8, horizons=tuple(float(h) for h in range(12, 301, 12)))
    model = Boosting().fit(features, outcomes, seed=1)
    assert {chain.n_iter_ for chain in model._chains if chain} == {30}


@pytest.mark.parametrize(
    ("field", "value"), [("left", 0), ("right", 9999), ("feature_idx", 77), ("is_categorical", 1)]
)
def test_a_tree_that_points_outside_itself_is_refused(fleet, field, value):
    features, outcomes = fleet()
    model = Boosting(30).fit(features, outcomes, seed=1)
    chain = next(each for each in model._chains if each)
    tree = chain._predictors[0][0]
    nodes = tree.nodes.copy()
    nodes[field][np.flatnonzero(nodes["is_leaf"] == 0)[-1]] = value
    tree.nodes = nodes
    assert not sound(chain, len(model._names))
    parts = model.parts()
    with pytest.raises(ValueError, match="points outside itself"):
        Boosting.from_parts(parts)


def test_nothing_but_what_it_saves_is_ever_loaded(fleet):
    model = Boosting(30).fit(*fleet(), seed=1)
    foreign = model.parts() | {"boosting.skops": skops.io.dumps([np.polynomial.Polynomial([1.0])])}
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        Boosting.from_parts(foreign)
