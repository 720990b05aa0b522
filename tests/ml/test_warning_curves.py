"""What warning would have meant: caught and false by threshold, and how long before, each with how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.judging import HOURS_PER_YEAR, Judged, leads
from ml.warning_curves import LEADS, THRESHOLDS, Drawn, alert_curve, lead_curve


def case_of(failure, hours, machine=None, before=None):
    """Rows with the failure that follows within a day, -1 for none, and how many hours before it they are."""
    failure = np.asarray(failure, np.int64)
    machine = np.zeros(len(failure), np.int64) if machine is None else np.asarray(machine)
    before = np.full(len(failure), np.nan) if before is None else np.asarray(before, float)
    rows = np.arange(len(failure))
    return Judged(rows, failure >= 0, np.ones(len(failure)), machine, np.asarray(hours), failure, before, 24.0)


def curve_of(risk, case, in_use=0.5):
    return alert_curve(np.asarray(risk), case, in_use, Drawn.of(case, 0))


@pytest.fixture
def two_machines():
    """Machine 0 is watched for a year and fails at its end, machine 1 as long and does not."""
    return case_of([-1, 7, -1, -1], [0, HOURS_PER_YEAR] * 2, [0, 0, 1, 1], [np.nan, 10, np.nan, np.nan])


def test_each_threshold_tells_what_it_would_have_caught_and_cried_wrongly():
    curve = curve_of([0.1, 0.9, 0.5, 0.7], case_of([-1, 0, 1, -1], [0, 100, 200, 300]))
    by_level = {each["threshold"]: (each["caught"], each["false_alarms"]) for each in curve}
    assert list(by_level) == sorted(by_level)
    assert by_level[0.1] == (2, 2.0)
    assert by_level[0.5] == (2, 1.0)
    assert curve[-1]["caught"] == 1
    assert curve[-1]["false_alarms"] == 0
    assert len(curve) <= THRESHOLDS + 1


def test_the_threshold_in_use_is_one_of_them():
    curve = curve_of([0.1, 0.9], case_of([-1, 0], [0, 100]), in_use=0.4321)
    assert [each["caught"] for each in curve if each["threshold"] == 0.4321] == [1]


def test_a_machine_alone_cannot_be_drawn_otherwise():
    case = case_of([-1, 0], [0, 100], before=[np.nan, 5])
    assert all(each["spread"] is None for each in curve_of([0.1, 0.9], case))
    told = lead_curve(np.array([False, True]), case, Drawn.of(case, 0))
    assert (told[0]["low"], told[0]["high"]) == (None, None)


def test_the_spread_is_that_of_machines_drawn_with_replacement(two_machines):
    never = curve_of([0.1, 0.2, 0.1, 0.1], two_machines, in_use=0.9)[-1]
    # Missed a machine-year is half of how often machine 0 was among the two drawn: a variance of 1/8.
    assert never["spread"][0] == pytest.approx(1 / 8, rel=0.25)
    assert never["spread"][1:] == [0, 0]


def test_the_lead_curve_falls_from_what_was_caught_to_the_longest_warning():
    case = case_of([0, 0, 1, 2, -1], [0, 10, 20, 30, 40], [0, 0, 1, 2, 2], [20, 10, 7, 3, np.nan])
    alert = np.array([True, True, True, False, True])
    assert leads(alert, case).tolist() == [20, 7, -np.inf]
    told = lead_curve(alert, case, Drawn.of(case, 0))
    assert [(each["hours"], each["share"]) for each in told] == [(0, 0.6667), (7, 0.6667), (20, 0.3333)]
    assert all(each["low"] <= each["share"] <= each["high"] for each in told)


def test_nothing_caught_is_a_curve_and_nothing_to_catch_is_none(two_machines):
    nothing = lead_curve(np.zeros(4, bool), two_machines, Drawn.of(two_machines, 0))
    assert [(each["hours"], each["share"]) for each in nothing] == [(0, 0)]
    healthy = replace(two_machines, failure=np.full(4, -1), truth=np.zeros(4, bool))
    assert lead_curve(np.ones(4, bool), healthy, Drawn.of(healthy, 0)) == []
    nobody = case_of([], [])
    assert curve_of([], nobody) == []


def test_a_thousand_failures_are_a_few_dozen_points():
    machine = np.arange(1000)
    case = case_of(machine, np.zeros(1000), machine, np.linspace(1, 24, 1000))
    risk = np.random.default_rng(0).random(1000)
    assert len(lead_curve(risk > 0.1, case, Drawn.of(case, 0))) <= LEADS
    assert len(curve_of(risk, case)) <= THRESHOLDS + 1
