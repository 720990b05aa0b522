"""The training story on a small made-up fleet: nothing is judged by what it learnt from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ml.failures import TooFewFailures
from ml.fitted import FittedModel
from ml.folds import machine_folds
from ml.learning import learn
from ml.models.base import cumulative_risk
from ml.models.ensemble import Ensemble
from ml.models.lstm import Lstm
from ml.models.random_forest import RandomForest
from ml.models.registry import BASELINES, KINDS
from ml.split import Split


@pytest.fixture(scope="module")
def parts(small_fleet):
    """Learning and judging rows: the last third of the time judges, a gap of the longest horizon between."""
    as_of = small_fleet[0].moments.as_of - 1_700_000_000
    early, late = np.flatnonzero(as_of < 200 * 3600), np.flatnonzero(as_of >= 368 * 3600)
    return Split((early, late), small_fleet[1], "time", "cut by time")


@pytest.fixture(scope="module")
def learnt(small_fleet, parts):
    told = []
    found = learn(
        *small_fleet, parts, kinds=["random_forest", "logistic"], seed=2, progress=lambda *a: told.append(a)
    )
    return found, told


def test_each_kind_gets_a_model_and_a_card_that_json_can_hold(learnt):
    found, _ = learnt
    assert [each.fitted.kind for each in found] == ["random_forest", "logistic"]
    for each in found:
        json.dumps(each.card, allow_nan=False)
        assert len(each.card["horizons"]) == 3
        assert isinstance(each.card["verdict"], str)


def test_the_card_shows_every_baseline_beside_the_model(learnt):
    forest = learnt[0][0].card["horizons"][0]
    assert set(forest["baselines"]) == set(BASELINES)
    assert set(forest["model"]) >= {"pr_auc", "roc_auc", "brier", "ece", "f1", "failures_caught", "pr_auc_interval"}


def test_progress_rises_to_the_end(learnt):
    shares = [share for share, _ in learnt[1]]
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1


def test_a_seed_repeats_the_whole_story(small_fleet, parts, learnt):
    again = learn(*small_fleet, parts, kinds=["random_forest"], seed=2)[0]
    first = learnt[0][0]
    assert np.array_equal(again.fitted.hazards(small_fleet[0]), first.fitted.hazards(small_fleet[0]))
    assert again.card["horizons"] == first.card["horizons"]


def test_outcomes_of_the_judged_time_change_no_threshold_and_no_calibration(small_fleet, parts, learnt):
    features, outcomes = small_fleet
    turned = outcomes.take(np.arange(len(outcomes)))
    judging = parts.parts[-1]
    turned.interval[judging] = turned.interval[judging][::-1]
    cut = replace(parts, outcomes=turned)
    card = learn(features, turned, cut, kinds=["random_forest"], seed=2)[0].card
    first = learnt[0][0].card
    assert card["calibration"] == first["calibration"]
    assert [each["threshold"] for each in card["horizons"]] == [each["threshold"] for each in first["horizons"]]


def test_what_is_told_of_the_learning_rows_was_said_by_models_that_had_not_seen_them(small_fleet, parts, learnt):
    features, outcomes = small_fleet
    early, forest = parts.parts[0], learnt[0][0]
    assert forest.left_out_risk.shape == (len(early), 3)
    failing = np.flatnonzero(outcomes.take(early).interval < 3)
    in_sample = cumulative_risk(forest.fitted.hazards(features.take(early)))
    assert forest.left_out_risk[failing, -1].mean() < in_sample[failing, -1].mean()


def test_the_band_holds_the_risk_and_rises_with_the_horizon(small_fleet, learnt):
    fitted = learnt[0][0].fitted
    risk = cumulative_risk(fitted.hazards(small_fleet[0]))
    low, high = fitted.band(risk)
    assert ((low <= risk) & (risk <= high)).all()
    assert (np.diff(low, axis=1) >= 0).all()
    assert (np.diff(high, axis=1) >= 0).all()
    assert (high - low).mean() > 0.001


def test_saved_and_loaded_the_calibrated_model_says_the_same(small_fleet, learnt):
    fitted = learnt[0][0].fitted
    loaded = FittedModel.from_parts(fitted.kind, fitted.parts())
    hazards = fitted.hazards(small_fleet[0])
    assert np.allclose(loaded.hazards(small_fleet[0]), hazards)
    assert np.allclose(loaded.band(cumulative_risk(hazards)), fitted.band(cumulative_risk(hazards)))


def test_the_ensemble_is_made_of_its_members_without_another_fit(small_fleet, parts, monkeypatch):
    class Tiny(Lstm):
        def __init__(self):
            super().__init__(members=1, epochs=2, units=4, dense=8)

    class SmallForest(RandomForest):
        def __init__(self):
            super().__init__(trees_in_all=30)

    def refuse(self, *args, **kwargs):
        raise AssertionError("the ensemble must not be fitted again")

    monkeypatch.setitem(KINDS, "lstm", Tiny)
    monkeypatch.setitem(KINDS, "random_forest", SmallForest)
    monkeypatch.setattr(Ensemble, "fit", refuse)
    found = learn(*small_fleet, parts, kinds=["ensemble"], seed=2)
    assert [each.fitted.kind for each in found] == ["ensemble"]
    assert found[0].fitted.hazards(small_fleet[0]).shape == (len(small_fleet[0]), 3, 2)


def test_too_few_failures_are_refused_in_one_sentence(small_fleet, parts):
    features, outcomes = small_fleet
    healthy = np.flatnonzero(outcomes.interval == 3)
    with pytest.raises(TooFewFailures, match="there are 0 to learn from"):
        learn(features, outcomes, replace(parts, parts=(healthy, parts.parts[1])))


def test_folds_hold_whole_machines_and_share_the_failures():
    machine = np.repeat(np.arange(12), 10)
    failure = np.where(machine < 6, machine, -1)
    fold = machine_folds(machine, failure, seed=1)
    for each in range(12):
        assert len(set(fold[machine == each])) == 1
    assert [len(set(failure[(fold == f) & (failure >= 0)])) for f in range(3)] == [2, 2, 2]


def test_a_plant_of_one_machine_is_folded_by_time():
    assert list(machine_folds(np.zeros(4, int), np.full(4, -1), seed=0)) == [0, 0, 1, 1]
