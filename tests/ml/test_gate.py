"""A new model serves only where it is better than nothing, calibrated, and not dearer than the one that serves."""

from __future__ import annotations

import numpy as np
import pytest

from ml.gate import FEWEST_COMPARED, Serving, gate

CARD = {"beats_baselines": True, "verdict": "Beats the baselines.", "horizons": []}
COSTS = (800.0, 8000.0)
HORIZONS = (24.0, 72.0, 168.0)


def truth_of(outcomes):
    """[n, K] what came true: the risk of somebody who knows."""
    return (outcomes.interval[:, None] <= np.arange(3)).astype(float)


def verdict(features, outcomes, risk, serving=None, card=CARD):
    return gate(card, risk, features.moments, outcomes, serving, *COSTS)


@pytest.fixture
def judged(small_fleet):
    features, outcomes = small_fleet
    return features, outcomes, truth_of(outcomes)


def serving_with(risk, learnt_until=0, horizons=HORIZONS):
    return Serving(7, horizons, risk, learnt_until)


def test_one_that_does_not_beat_the_baselines_stays_outside(judged):
    features, outcomes, knows = judged
    card = {"beats_baselines": False, "verdict": "Does not beat the baselines.", "horizons": []}
    assert verdict(features, outcomes, knows, card=card).words == "Does not beat the baselines."
    assert not verdict(features, outcomes, knows, card=card).passed


@pytest.mark.parametrize(
    ("seen", "failures", "passes"),
    [(0.10, 40, True), (0.30, 40, False), (0.02, 40, False), (0.30, 2, True), (0.0, 0, True)],
)
def test_one_that_says_far_too_little_or_too_much_stays_outside(judged, seen, failures, passes):
    features, outcomes, knows = judged
    points = [{"predicted": 0.1, "observed": seen, "weight": 500.0}]
    card = CARD | {"horizons": [{"hours": 24.0, "failures": failures, "reliability": points}]}
    found = verdict(features, outcomes, knows, card=card)
    assert found.passed == passes
    assert passes or "times as many failed as was said" in found.words


@pytest.mark.parametrize(("said", "passes"), [(0.002, True), (0.1, False)])
def test_failures_that_were_said_and_never_came_keep_it_outside(judged, said, passes):
    features, outcomes, knows = judged
    points = [{"predicted": said, "observed": 0.0, "weight": 500.0}]
    horizon = {"hours": 24.0, "failures": 0, "reliability": points, "machine_years": 0.5}
    found = verdict(features, outcomes, knows, card=CARD | {"horizons": [horizon]})
    assert found.passed == passes
    assert passes or "none failed where about 18 failures were said" in found.words


def test_the_first_model_needs_no_comparison(judged):
    assert verdict(*judged).passed


def test_one_that_costs_more_stays_outside_and_the_words_say_by_how_much(judged):
    features, outcomes, knows = judged
    blind = np.zeros_like(knows)
    found = verdict(features, outcomes, blind, serving_with(knows))
    assert not found.passed
    assert "expected cost 10.00 of that of model 7" in found.words
    assert verdict(features, outcomes, knows, serving_with(blind)).passed
    assert verdict(features, outcomes, knows, serving_with(knows)).passed


def test_what_the_serving_model_has_learnt_from_is_no_test_of_it(judged):
    features, outcomes, knows = judged
    late = np.sort(features.moments.as_of)[-1] - 1
    found = verdict(features, outcomes, np.zeros_like(knows), serving_with(knows, learnt_until=int(late)))
    assert found.passed
    assert "Model 7 could not be compared with: " in found.words


def test_only_horizons_of_both_are_compared(judged):
    features, outcomes, knows = judged
    other = serving_with(knows[:, :1], horizons=(48.0,))
    assert "could not be compared with: 0 failures" in verdict(features, outcomes, knows, other).words
    one = serving_with(knows[:, 2:], horizons=(168.0,))
    assert "Expected cost 1.00" in verdict(features, outcomes, knows, one).words


def test_silence_of_the_serving_model_counts_as_no_alarm(judged):
    features, outcomes, knows = judged
    silent = serving_with(np.full_like(knows, np.nan))
    found = verdict(features, outcomes, knows, silent)
    assert found.passed
    assert "Expected cost 0.10" in found.words
    assert FEWEST_COMPARED > 1
