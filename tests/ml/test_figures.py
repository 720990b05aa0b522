"""Weighted figures agree with scikit-learn's, ties and weights included."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.figures import Ranked, Reliability, brier, finite, pr_auc, pr_curve, roc_auc

CASES = [(seed, digits) for seed in range(4) for digits in (1, 6)]


def case(seed, digits, n=400):
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.2
    scores = np.round((0.3 * truth + random.random(n)) / 1.3, digits)
    return scores, truth, random.integers(0, 4, n).astype(float)


@pytest.mark.parametrize(("seed", "digits"), CASES)
def test_areas_are_those_of_scikit_learn(seed, digits):
    scores, truth, weight = case(seed, digits)
    ranked = Ranked.by(scores)
    assert np.isclose(pr_auc(ranked, truth, weight), average_precision_score(truth, scores, sample_weight=weight))
    assert np.isclose(roc_auc(ranked, truth, weight), roc_auc_score(truth, scores, sample_weight=weight))


def test_a_weight_of_two_is_the_row_twice():
    scores, truth, weight = case(1, 6)
    twice = np.repeat(np.arange(len(scores)), weight.astype(int))
    ones = np.ones(len(twice))
    assert np.isclose(brier(scores, truth, weight), brier(scores[twice], truth[twice], ones))
    assert np.isclose(
        Reliability.of(scores, truth, weight).error, Reliability.of(scores[twice], truth[twice], ones).error
    )


def test_without_a_failure_areas_are_unknown_and_never_an_error():
    scores, truth = np.array([0.1, 0.2]), np.array([False, False])
    for none in (slice(0), slice(None)):
        ranked = Ranked.by(scores[none])
        assert np.isnan(pr_auc(ranked, truth[none], np.ones(2)[none]))
        assert np.isnan(roc_auc(ranked, truth[none], np.ones(2)[none]))
        assert pr_curve(ranked, truth[none], np.ones(2)[none], 10) == []


def test_perfectly_reliable_probabilities_have_no_error():
    risk = np.repeat([0.05, 0.55], 100)
    truth = np.concatenate([np.arange(100) < 5, np.arange(100) < 55])
    assert Reliability.of(risk, truth, np.ones(200)).error < 1e-9
    assert np.isclose(Reliability.of(np.full(200, 0.95), truth, np.ones(200)).error, 0.95 - 0.3)


def test_the_curve_is_short_and_keeps_its_ends():
    scores, truth, weight = case(2, 6)
    points = pr_curve(Ranked.by(scores), truth, weight, 20)
    assert len(points) <= 20
    assert points[-1]["recall"] == 1.0
    assert [p["recall"] for p in points] == sorted(p["recall"] for p in points)


def test_what_cannot_be_said_is_none_for_json():
    assert finite({"a": float("nan"), "b": float("inf"), "c": 1, "d": 0.5, "e": [1.0]}) == {
        "a": None, "b": None, "c": 1, "d": 0.5, "e": [1.0]
    }  # fmt: skip
