"""The anomaly score learns a machine's own first normal operation and needs no failure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.fleet.event_rule import REPLACEMENT
from ml.features.history import History, Moments
from ml.models.anomaly import BASELINE_BUCKETS, FEWEST_BUCKETS, TRAILING, anomalies
from ml.models.normal import KnownNormals, learn_normals

HOUR = 3600
ROWS = 600


def readings(seed=1):
    random = np.random.default_rng(seed)
    load = random.normal(size=ROWS)
    return np.stack([60 + 2 * load, 2 + 0.3 * load + 0.1 * random.normal(size=ROWS)], axis=1)


def history(*machines, channels=("temperature_c", "vibration_mm_s")):
    values = np.concatenate(machines)
    position = np.repeat(np.arange(len(machines)), [len(each) for each in machines])
    bucket = np.concatenate([1000 + np.arange(len(each)) for each in machines])
    keys = pd.DataFrame({"key": [f"m{i}" for i in range(len(machines))]})
    n = np.isfinite(values).astype(float)
    return History(
        HOUR, keys, channels, position, bucket, n, values, values * 0, values, values, values, services()
    )


def services(*began_and_ended, code=REPLACEMENT):
    """Of the first machine, at hours after its first row; None where nobody said when it was over."""
    table = pd.DataFrame(began_and_ended, columns=["started_at", "ended_at"], dtype="Int64") * HOUR + 1000 * HOUR
    times = pd.DataFrame({name: pd.to_datetime(each, unit="s", utc=True) for name, each in table.items()})
    return times.assign(machine=0, kind="service", code=code, component=None)


def after(rows, machine=0):
    """Moments at which so many rows had ended."""
    rows = np.atleast_1d(rows)
    return Moments(np.full(len(rows), machine), (1000 + rows) * HOUR)


def scores_of(past, moments, **more):
    return anomalies(past, moments, **more).score


def test_normal_operation_stays_below_the_alarm_level():
    fleet = history(*(readings(seed) for seed in range(6)))
    scores = [scores_of(fleet, after(np.arange(400, ROWS), machine)) for machine in range(6)]
    assert np.mean(np.stack(scores) >= 1) < 0.03


def test_a_channel_that_leaves_its_normal_is_an_anomaly():
    values = readings()
    values[500:, 1] += 2
    scores = scores_of(history(values), after([499, 560]))
    assert scores[0] < 1 < scores[1]


def test_channels_that_no_longer_go_together_are_an_anomaly_before_either_leaves():
    values = readings()
    values[500:, 1] = 2 - 0.3 * (values[500:, 0] - 60) / 2 - 0.35
    together, apart = scores_of(history(values), after([499, 560]))
    assert apart > 2.5 * together


def test_what_comes_later_changes_no_score():
    values = readings()
    before = scores_of(history(values), after([450]))
    values[450:] = 1e6
    assert scores_of(history(values), after([450])) == before


def test_a_machine_alone_scores_as_in_the_fleet():
    alone = scores_of(history(readings(2)), after([500]))
    assert np.allclose(scores_of(history(readings(1), readings(2)), after([500], machine=1)), alone)


def test_a_faulty_start_does_not_hide_a_later_fault():
    values = readings()
    values[:20, 1] += 4
    values[500:, 1] += 2
    assert scores_of(history(values), after([560]))[0] > 1


def test_a_young_machine_has_no_score_yet():
    scores = scores_of(
        history(readings()), after([0, 10, FEWEST_BUCKETS + TRAILING - 1, FEWEST_BUCKETS + TRAILING])
    )
    assert list(np.isnan(scores)) == [True, True, True, False]


@pytest.mark.parametrize("break_it", ["gaps", "constant", "huge", "never there", "all gone later"])
def test_broken_channels_give_a_finite_score(break_it):
    values = readings()
    if break_it == "gaps":
        values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    if break_it == "constant":
        values[:, 0] = 0
    if break_it == "huge":
        values[:, 0] *= 1e300
    if break_it == "never there":
        values[:, 0] = np.nan
    if break_it == "all gone later":
        values[BASELINE_BUCKETS:] = np.nan
    scores = scores_of(history(values), after([450, 590]))
    assert np.isfinite(scores).all()


def test_a_channel_that_stood_at_zero_is_not_judged_by():
    values = np.column_stack([readings(), np.zeros(ROWS)])
    values[300, 2] = 1.0
    values[540:, 2] = 4.0
    channels = ("temperature_c", "vibration_mm_s", "standby_flow")
    moments = after(np.arange(400, ROWS))
    found = anomalies(history(values, channels=channels), moments)
    np.testing.assert_array_equal(found.score, scores_of(history(values[:, :2]), moments))
    assert np.isnan(found.away[:, 2]).all()


@pytest.mark.parametrize("ended", [300, None])
def test_a_replaced_machine_is_held_against_its_own_new_normal(ended):
    values = readings()
    values[300:] += [8, -1]
    replaced = replace(history(values), events=services((299, ended)))
    soon, later = (after(300 + TRAILING + rows) for rows in (5, FEWEST_BUCKETS))
    assert scores_of(replaced, soon) > 1 > scores_of(replaced, later)
    assert scores_of(history(values), later) > 1


def test_a_service_that_replaces_nothing_hides_no_wear():
    values = readings()
    values[400:, 1] += np.linspace(0, 4, 200)
    serviced = replace(history(values), events=services((430, 431), code="lubrication"))
    moments = after(np.arange(420, ROWS))
    np.testing.assert_array_equal(scores_of(serviced, moments), scores_of(history(values), moments))


def test_a_replacement_that_goes_on_or_is_yet_to_come_changes_nothing():
    values = readings()
    moments = after(np.arange(400, ROWS))
    going_on = replace(history(values), events=services((100, 700), (640, 650)))
    np.testing.assert_array_equal(scores_of(going_on, moments), scores_of(history(values), moments))


def test_a_running_hours_counter_is_no_level():
    values = np.concatenate([readings(), np.arange(ROWS)[:, None] * 1.0], axis=1)
    channels = ("temperature_c", "vibration_mm_s", "runtime_hours")
    assert scores_of(history(values, channels=channels), after([590]))[0] < 1


def test_nothing_at_all_has_no_score():
    values = np.full((ROWS, 2), np.nan)
    assert np.isnan(scores_of(history(values), after([500]))).all()


def test_who_knows_a_machines_first_rows_says_the_same_and_learns_anew_when_they_change(monkeypatch):
    learnt = []

    def watched(values, trailing):
        learnt.append(len(values))
        return learn_normals(values, trailing)

    monkeypatch.setattr("ml.models.normal.learn_normals", watched)
    known, values = KnownNormals(most=2), readings()
    for last in (540, 560):
        np.testing.assert_array_equal(
            scores_of(history(values), after(last), learn=known), scores_of(history(values), after(last))
        )
    assert len(learnt) == 1
    values[3, 0] += 5
    assert scores_of(history(values), after(560), learn=known) == scores_of(history(values), after(560))
    assert len(learnt) == 2
    for seed in range(2, 6):
        scores_of(history(readings(seed)), after(560), learn=known)
    assert len(known._known) == 2
