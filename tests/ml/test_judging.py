"""From which risk to warn, counted as planners count: failures caught and false alarms."""

from __future__ import annotations

import numpy as np

from ml.judging import Judged, alert_figures, best_threshold


def case_of(failure, hours=None, machine=None, horizon=24.0):
    """One row an hour of one machine unless told otherwise; `failure` -1 where none is near."""
    failure = np.asarray(failure)
    hours = np.arange(len(failure)) if hours is None else np.asarray(hours)
    machine = np.zeros(len(failure), np.int64) if machine is None else np.asarray(machine)
    nan = np.full(len(failure), np.nan)
    return Judged(
        np.arange(len(failure)), failure >= 0, np.ones(len(failure)), machine, hours, failure, nan, horizon
    )


def test_it_lies_between_the_lowest_peak_worth_catching_and_what_is_below():
    risk = np.array([0.1, 0.2, 0.3, 0.9, 0.8])
    level = best_threshold(risk, case_of([-1, -1, 0, 0, 1]))
    assert 0.3 < level < 0.8


def test_a_failure_that_costs_more_false_alarms_than_it_is_worth_is_let_go():
    risk = np.array([0.05] + [0.1] * 6 + [0.9])
    failure = np.array([0] + [-1] * 6 + [1])
    assert best_threshold(risk, case_of(failure, hours=np.arange(8) * 100)) > 0.1


def test_hours_of_one_alarm_count_once():
    risk = np.array([0.5] + [0.6] * 20 + [0.9])
    failure = np.array([0] + [-1] * 20 + [1])
    assert best_threshold(risk, case_of(failure)) < 0.5
    told = alert_figures(risk >= 0.55, case_of(failure))
    assert (told["failures_caught"], told["false_alarms"]) == (1, 1)


def test_without_a_failure_nobody_can_say():
    assert best_threshold(np.array([0.2, 0.9]), case_of([-1, -1])) == 0.5
    assert best_threshold(np.zeros(0), case_of(np.zeros(0, int))) == 0.5


def test_a_thousand_failures_are_no_matter():
    draw = np.random.default_rng(0)
    failure = np.where(draw.random(20_000) < 0.1, draw.integers(0, 1000, 20_000), -1)
    risk = draw.random(20_000) + 0.5 * (failure >= 0)
    assert 0 < best_threshold(risk, case_of(failure)) < 1.5


def test_a_thinned_moment_stands_for_the_alarms_of_its_weight():
    case = case_of([-1, -1, 0], hours=[0, 500, 900])
    thinned = Judged(**(vars(case) | {"weight": np.array([96.0, 8.0, 1.0])}))
    told = alert_figures(np.ones(3, bool), thinned)
    assert told["false_alarms"] == 96 / 24 + 1
