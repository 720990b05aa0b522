"""When a prediction should not be believed: each case has its own reason in words."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from histories import history_of, machines_of, moments_at

from ml.trust import judge_data

CHANNELS = ("temperature_c", "vibration_mm_s")
NAN = float("nan")
PATIENCE = timedelta(hours=3)


def rows_of(machine, hours, temperature=50.0, vibration=2.0):
    return [(machine, hour, temperature, vibration) for hour in hours]


def judge(rows, *places, channels=CHANNELS, patience=PATIENCE, machines=None):
    history = history_of(rows, channels=CHANNELS, machines=machines)
    return judge_data(history, moments_at(*places), channels, patience)


def test_a_machine_that_sends_everything_is_believed():
    trust = judge(rows_of(0, range(100)), (0, 100))
    assert trust.reason == [None]
    assert trust.coverage.tolist() == [1.0]
    assert trust.usable.tolist() == [True]


def test_a_machine_without_any_reading_has_nothing_to_predict_from():
    trust = judge(rows_of(0, range(100)), (1, 100), (0, 0), machines=machines_of(2))
    assert trust.reason == ["no reading yet", "no reading yet"]
    assert not trust.usable.any()
    assert trust.coverage.tolist() == [0.0, 0.0]


def test_a_whole_fleet_without_readings_is_judged_too():
    trust = judge([], (0, 100), (1, 100), machines=machines_of(2))
    assert trust.reason == ["no reading yet"] * 2
    assert not trust.usable.any()


def test_only_what_lies_before_the_moment_counts():
    trust = judge(rows_of(0, [*range(50), *range(90, 200)]), (0, 60), (0, 91))
    assert trust.reason == ["silent for 10h", "only 4% of the last 1d has data"]


@pytest.mark.parametrize(("quiet", "reason"), [(2, None), (3, "silent for 3h"), (72, "silent for 3d")])
def test_a_machine_is_silent_once_its_last_bucket_ended_so_long_ago(quiet, reason):
    assert judge(rows_of(0, range(100)), (0, 100 + quiet)).reason == [reason]


def test_a_patience_shorter_than_two_buckets_waits_for_two():
    trust = judge(rows_of(0, range(100)), (0, 101), (0, 102), patience=timedelta(seconds=1))
    assert trust.reason == [None, "silent for 2h"]


def test_a_young_machine_is_told_how_little_it_has():
    trust = judge(rows_of(0, range(12)), (0, 11), (0, 12))
    assert trust.reason == ["only 11h of data so far", None]
    assert trust.usable.all()


def test_a_channel_that_went_away_is_named():
    rows = rows_of(0, range(70)) + rows_of(0, range(70, 100), vibration=NAN)
    trust = judge(rows, (0, 90), (0, 100))
    assert trust.reason == [None, "no vibration in the last 1d"]
    assert trust.coverage.tolist() == pytest.approx([(1 + 4 / 24) / 2, 0.5])


def test_a_channel_that_a_machine_never_had_is_not_missing():
    trust = judge(rows_of(0, range(100), vibration=NAN) + rows_of(1, range(100)), (0, 100), (1, 100))
    assert trust.reason == [None, None]
    assert trust.coverage.tolist() == [1.0, 1.0]


def test_a_machine_with_other_channels_than_the_models_is_no_case_for_it():
    trust = judge(rows_of(0, range(100)), (0, 100), channels=("pressure_bar",))
    assert trust.reason == ["none of the channels the model learnt from"]
    assert trust.usable.tolist() == [False]


@pytest.mark.parametrize(("step", "reason"), [(2, None), (3, "only 33% of the last 1d has data")])
def test_less_than_half_of_the_last_day_is_too_thin(step, reason):
    trust = judge(rows_of(0, range(1, 121, step)), (0, 120))
    assert trust.reason == [reason]
    assert trust.coverage.tolist() == [pytest.approx(1 / step)]


def test_every_moment_is_judged_as_if_it_were_alone():
    rows = rows_of(0, range(100)) + rows_of(1, range(0, 100, 3)) + rows_of(3, range(90, 100))
    places = [(machine, hour) for machine in range(4) for hour in (0, 1, 30, 95, 100, 140)]
    together = judge(rows, *places, machines=machines_of(4))
    for number, place in enumerate(places):
        alone = judge(rows, place, machines=machines_of(4))
        assert alone.reason == [together.reason[number]]
        np.testing.assert_array_equal(alone.coverage, together.coverage[[number]])


def test_what_cannot_be_used_always_has_a_reason():
    rows = rows_of(0, range(100)) + rows_of(1, range(100), temperature=NAN) + rows_of(2, range(40))
    places = [(machine, hour) for machine in range(4) for hour in (0, 10, 50, 100)]
    trust = judge(rows, *places, channels=("temperature_c",), machines=machines_of(4))
    assert not trust.usable.all()
    assert all(reason for reason, usable in zip(trust.reason, trust.usable, strict=True) if not usable)


@pytest.mark.parametrize(("until", "reason"), [(267, None), (268, "it stood for 7d or longer, by its current")])
def test_a_machine_that_stood_for_a_week_has_shown_nothing_or_its_current_sensor_is_dead(until, reason):
    rows = [(0, hour, 5.0 if hour < 100 else 0.0, 2.0) for hour in range(300)]
    history = history_of(rows, channels=("current_a", "vibration_mm_s"))
    trust = judge_data(history, moments_at((0, until)), history.channels, PATIENCE)
    assert trust.reason == [reason]
    assert trust.usable.all()
