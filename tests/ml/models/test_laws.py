"""Laws that every kind of model keeps; a new kind is added to MAKERS and nowhere else."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from ml.features.history import Features
from ml.models.base import NotFitted, cumulative_risk, risk_by_mode
from ml.models.baseline import Logistic, Weibull
from ml.models.boosting import Boosting
from ml.models.columns import OtherFeatures
from ml.models.ensemble import Ensemble
from ml.models.lstm import Lstm
from ml.models.random_forest import RandomForest
from ml.models.registry import KINDS


def small_forest():
    return RandomForest(trees_in_all=96)


def small_boosting():
    return Boosting(steps_in_all=60)


def small_lstm(epochs=3):
    return Lstm(members=1, epochs=epochs, units=4, dense=8)


MAKERS = {
    "weibull": Weibull,
    "logistic": Logistic,
    "random_forest": small_forest,
    "boosting": small_boosting,
    "lstm": small_lstm,
    "ensemble": lambda epochs=3: Ensemble(small_forest(), small_boosting(), small_lstm(epochs)),
}


@pytest.fixture(scope="module", params=MAKERS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(kind, small_fleet):
    return MAKERS[kind]().fit(*small_fleet, seed=3)


@pytest.fixture(scope="module")
def hazards(fitted, small_fleet):
    return fitted.hazards(small_fleet[0])


def shuffled_columns(features):
    order = np.random.default_rng(5).permutation(len(features.names))
    names = tuple(features.names[i] for i in order)
    channels = tuple(reversed(features.channels))
    return Features(features.moments, names, features.values[:, order], channels, features.blocks[:, :, ::-1])


def test_every_kind_is_under_these_laws():
    assert set(KINDS) == set(MAKERS)


def test_hazards_are_shares_and_modes_do_not_exceed_one(hazards, small_fleet):
    assert hazards.shape == (len(small_fleet[0]), 3, 2)
    assert np.isfinite(hazards).all()
    assert hazards.min() >= 0
    assert hazards.sum(axis=2).max() <= 1 + 1e-9


def test_risk_never_falls_with_the_horizon_and_modes_add_up(hazards):
    risk = cumulative_risk(hazards)
    assert (np.diff(risk, axis=1) >= -1e-12).all()
    assert np.allclose(risk_by_mode(hazards).sum(axis=2), risk)


def test_parameters_can_be_written_down_and_are_kept(fitted, kind):
    parameters = json.loads(json.dumps(fitted.parameters()))
    assert parameters
    assert KINDS[kind].from_parts(fitted.parts()).parameters() == parameters


def test_fit_returns_itself_and_leaves_its_input_as_it_was(kind, small_fleet):
    features, outcomes = copy.deepcopy(small_fleet)
    model = MAKERS[kind]()
    assert model.fit(features, outcomes, seed=3) is model
    for field in ("values", "blocks"):
        assert np.array_equal(getattr(features, field), getattr(small_fleet[0], field), equal_nan=True)
    for field in ("interval", "exposure", "mode", "weight"):
        assert np.array_equal(getattr(outcomes, field), getattr(small_fleet[1], field))


def test_a_seed_repeats_even_with_columns_in_another_order(kind, hazards, small_fleet):
    features, outcomes = small_fleet
    again = MAKERS[kind]().fit(shuffled_columns(features), outcomes, seed=3)
    assert np.allclose(again.hazards(features), hazards, atol=1e-6)


def test_columns_in_another_order_give_the_same_answer(fitted, hazards, small_fleet):
    assert np.allclose(fitted.hazards(shuffled_columns(small_fleet[0])), hazards, atol=1e-6)


def test_a_machine_alone_gets_the_answer_it_gets_in_the_fleet(fitted, hazards, small_fleet):
    one = small_fleet[0].take(np.array([7]))
    assert np.allclose(fitted.hazards(one), hazards[[7]], atol=1e-5)


def test_nobody_to_score_is_no_error(fitted, small_fleet):
    assert fitted.hazards(small_fleet[0].take(np.array([], int))).shape == (0, 3, 2)


def test_saved_and_loaded_it_says_the_same(kind, fitted, hazards, small_fleet):
    parts = fitted.parts()
    assert all(isinstance(content, bytes) for content in parts.values())
    loaded = KINDS[kind].from_parts(parts)
    assert np.allclose(loaded.hazards(small_fleet[0]), hazards, atol=1e-6)


def test_unfitted_it_raises(kind, small_fleet):
    with pytest.raises(NotFitted):
        MAKERS[kind]().hazards(small_fleet[0])
    with pytest.raises(NotFitted):
        MAKERS[kind]().parts()


def test_missing_features_are_named(kind, fitted, small_fleet):
    if kind == "weibull":
        pytest.skip("a missing age is filled in")
    features = small_fleet[0]
    fewer = Features(
        features.moments, features.names[:2], features.values[:, :2], features.channels, features.blocks
    )
    with pytest.raises(OtherFeatures, match=r"temperature_c\.mean\.1"):
        fitted.hazards(fewer)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_infinite_and_missing_inputs_give_finite_hazards(fitted, small_fleet, value):
    three = small_fleet[0].take(np.arange(3))
    values, blocks = np.full_like(three.values, value), np.full_like(three.blocks, value)
    odd = Features(three.moments, three.names, values, three.channels, blocks)
    assert np.isfinite(fitted.hazards(odd)).all()


def test_training_without_a_failure_gives_small_hazards(kind, small_fleet):
    features, outcomes = small_fleet
    healthy = np.flatnonzero(outcomes.interval == 3)
    model = MAKERS[kind]().fit(features.take(healthy), outcomes.take(healthy), seed=1)
    assert cumulative_risk(model.hazards(features))[:, -1].mean() < 0.05


@pytest.mark.parametrize("learning", ["logistic", "random_forest", "boosting", "lstm", "ensemble"])
def test_machines_close_to_failure_get_the_higher_risk(learning, fleet):
    model = MAKERS[learning](*([15] if learning in ("lstm", "ensemble") else []))
    model.fit(*fleet(machines=40, seed=8), seed=1)
    others, outcomes = fleet(seed=9)
    risk = cumulative_risk(model.hazards(others))[:, 1]
    soon = outcomes.interval <= 1
    assert risk[soon].mean() > 2.5 * risk[~soon].mean()
