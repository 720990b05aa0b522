"""The card counts failures, not rows, and judges only what is known."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation import evaluate, thresholds, verdict
from ml.features.history import Moments
from ml.judging import judged
from ml.models.base import Outcomes

HOUR = 3600


def outcomes_of(interval, exposure, failure, hours, horizons=(24.0, 72.0)):
    interval = np.array(interval)
    failed = interval < len(horizons)
    return Outcomes(
        horizons,
        ("failure",),
        interval,
        np.array(exposure, float),
        np.where(failed, 0, -1),
        np.array(failure),
        np.array(hours, float),
        np.zeros(len(interval)),
        np.ones(len(interval)),
    )


@pytest.fixture
def two_machines():
    """Machine 0 fails at hour 100 and is seen at 40, 60, 80 and 90; machine 1 is seen to be healthy throughout."""
    moments = Moments(np.array([0] * 4 + [1] * 4), np.array([40, 60, 80, 90] * 2) * HOUR)
    interval = [1, 1, 0, 0] + [2] * 4
    exposure = [[1, 1], [1, 1], [1, 0], [1, 0]] + [[1, 1]] * 4
    return moments, outcomes_of(interval, exposure, [7] * 4 + [-1] * 4, [60, 40, 20, 10] + [np.nan] * 4)


def card_of(fleet, risk, threshold=0.5, **baselines):
    risks = {"model": np.array(risk, float)} | {k: np.array(v, float) for k, v in baselines.items()}
    return evaluate(risks, {name: [threshold] * 2 for name in risks}, *fleet, seed=0)


def both(column):
    return np.stack([column, column], axis=1)


def test_a_failure_is_caught_once_and_its_lead_time_is_that_of_the_first_alert(two_machines):
    card = card_of(two_machines, both([0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]))
    day, three_days = (each["model"] for each in card["horizons"])
    assert (day["failures"], day["failures_caught"], day["lead_time_hours_median"]) == (1, 1, 20)
    assert (three_days["failures_caught"], three_days["lead_time_hours_median"]) == (1, 60)


def test_alerts_close_together_are_one_false_alarm(two_machines):
    card = card_of(two_machines, both([0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9]))
    years = 100 / 8766
    day, three_days = (each["model"]["false_alarms_per_machine_year"] for each in card["horizons"])
    assert np.isclose(day, 2 / years)
    assert np.isclose(three_days, 1 / years)


def test_rows_whose_outcome_nobody_saw_are_not_judged(two_machines):
    moments, outcomes = two_machines
    outcomes.exposure[6:, 1] = 0
    assert len(judged(moments, outcomes, 0).rows) == 8
    assert list(judged(moments, outcomes, 1).rows) == [0, 1, 4, 5]


def test_the_last_hours_in_which_only_failures_are_known_are_not_judged(two_machines):
    moments, outcomes = two_machines
    outcomes.exposure[5:, 1] = 0
    rows = judged(moments, outcomes, 1).rows
    assert moments.as_of[rows].max() == 40 * HOUR


def test_a_card_without_failures_says_that_nothing_can_be_judged(two_machines):
    moments, outcomes = two_machines
    healthy = np.arange(4, 8)
    card = card_of(
        (moments.take(healthy), outcomes.take(healthy)), np.full((4, 2), 0.1), weibull=np.full((4, 2), 0.1)
    )
    assert card["beats_baselines"] is False
    assert "nothing can be judged" in card["verdict"]
    assert card["horizons"][0]["model"]["pr_auc"] is None


def test_a_better_model_beats_and_a_worse_one_does_not(two_machines):
    good, bad = both([0.8, 0.8, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]), both([0.1, 0.1, 0.1, 0.1, 0.9, 0.8, 0.7, 0.6])
    assert card_of(two_machines, good, weibull=bad)["beats_baselines"] is True
    worse = card_of(two_machines, bad, weibull=good)
    assert worse["beats_baselines"] is False
    assert worse["verdict"].startswith("Does not beat the baselines")


def test_with_one_failure_the_verdict_says_it_may_be_chance():
    horizon = {
        "failures": 1,
        "model": {"pr_auc": 0.6},
        "baselines": {"weibull": {"pr_auc": 0.5, "model_better_share": 0.7}},
    }
    assert "with 1 failure this may be chance" in verdict([horizon])["verdict"]


def test_intervals_hold_the_figure_and_shrink_with_more_machines(fleet):
    def width(machines):
        features, outcomes = fleet(machines=machines, seed=4)
        risk = np.random.default_rng(1).random((len(outcomes), 3)) * 0.2
        risk += 0.3 * (outcomes.interval[:, None] <= np.arange(3))
        card = evaluate({"model": risk}, {"model": [0.4] * 3}, features.moments, outcomes, seed=1)
        figures = card["horizons"][2]["model"]
        low, high = figures["brier_interval"]
        assert low <= figures["brier"] <= high
        return high - low

    assert width(60) < width(10)


def test_thresholds_are_those_of_the_rows_given(two_machines):
    risk = both([0.6, 0.6, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    day, three_days = thresholds(risk, *two_machines)
    assert 0.6 < day < 0.9
    assert 0.1 < three_days < 0.6
