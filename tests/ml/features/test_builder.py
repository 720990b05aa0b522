"""Each feature against a slow reference in pandas and against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from histories import (
    FIRST_BUCKET,
    HOUR,
    as_of,
    events_of,
    history_of,
    machines_of,
    moments_at,
    random_history,
    random_moments,
    time_at,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.baseline import BASELINE_BUCKETS
from ml.features.builder import build
from ml.features.catalogue import WINDOWS, catalogue
from ml.features.history import Moments

CHANNELS = ("current_a", "vibration_mm_s")


def value(history, name, machine_and_hours, channels=None, codes=(), components=()):
    """One feature at one moment."""
    features = catalogue(channels or history.channels, codes, components)
    built = build(history, moments_at(machine_and_hours), features)
    return built.values[0, built.names.index(name)]


def reference(history, moment, channel, window):
    """mean, deviation, min, max, slope per hour, last and spread of one window, the slow and plain way."""
    machine, when = moment
    end = when // HOUR
    chosen = (history.machine == machine) & (history.bucket < end) & (history.bucket >= end - window)
    frame = pd.DataFrame(
        {name: getattr(history, name)[chosen, channel] for name in ("n", "mean", "std", "min", "max", "last")}
    ).assign(t=history.bucket[chosen] - end)
    known = frame.dropna(subset="mean")
    slope = np.polyfit(known["t"], known["mean"], 1)[0] if len(known) > 1 else np.nan
    lasts = frame["last"].dropna()
    return {
        "mean": frame["mean"].mean(),
        "deviation": frame["mean"].std(),
        "min": frame["min"].min(),
        "max": frame["max"].max(),
        "slope": slope,
        "last": lasts.iloc[-1] if len(lasts) else np.nan,
        "spread": frame.loc[frame["n"] > 1, "std"].mean(),
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.02, 1.0), shift=st.sampled_from([0.0, 1e5, -1e7]))
def test_windows_agree_with_pandas_on_gappy_data(seed, share, shift):
    history = random_history(seed, machines=3, hours=700, share=share, channels=CHANNELS)
    history = replace(history, **{name: getattr(history, name) + shift for name in ("mean", "min", "max", "last")})
    history = replace(history, machines=machines_of(3, rated_current_a=np.nan))
    moments = random_moments(seed, history, count=12, hours=760)
    features = catalogue(CHANNELS)
    built = build(history, moments, features)
    for row in range(len(moments)):
        moment = int(moments.machine[row]), int(moments.as_of[row])
        for window in WINDOWS:
            for number, channel in enumerate(CHANNELS):
                expected = reference(history, moment, number, window)
                for position, feature in enumerate(features):
                    if (feature.channel, feature.window_buckets) == (channel, window) and feature.kind in expected:
                        np.testing.assert_allclose(
                            built.values[row, position],
                            expected[feature.kind],
                            rtol=1e-5,
                            atol=1e-5 + 1e-7 * abs(shift) * (feature.kind not in ("deviation", "slope", "spread")),
                            err_msg=feature.name,
                        )


def test_blocks_are_means_of_twelve_equal_parts_oldest_first():
    history = history_of([(0, hour, float(hour)) for hour in range(168) if not 14 <= hour < 28])
    blocks = build(history, moments_at((0, 168)), catalogue(history.channels)).blocks[0, :, 0]
    expected = [np.mean(range(start, start + 14)) for start in range(0, 168, 14)]
    expected[1] = np.nan
    np.testing.assert_allclose(blocks, expected)


def test_the_baseline_is_the_first_buckets_and_stays_when_they_have_passed():
    levels = [(0, hour, 10.0 + hour % 2) for hour in range(BASELINE_BUCKETS)]
    history = history_of(levels + [(0, hour, 30.0) for hour in range(BASELINE_BUCKETS, 200)])
    deviation = np.std([10.0, 11.0] * (BASELINE_BUCKETS // 2), ddof=1)
    assert value(history, "temperature_c.baseline_difference.6", (0, 200)) == pytest.approx(19.5)
    assert value(history, "temperature_c.baseline_deviations.6", (0, 200)) == pytest.approx(19.5 / deviation)
    assert value(history, "temperature_c.baseline_difference.6", (0, 10)) == pytest.approx(0.0)


def test_a_baseline_without_any_deviation_gives_no_distance_in_deviations():
    history = history_of([(0, hour, 5.0) for hour in range(100)])
    assert np.isnan(value(history, "temperature_c.baseline_deviations.6", (0, 100)))


def test_what_was_measured_while_a_machine_stood_is_not_looked_at():
    """Rated at 10 A, it draws 5 by day and 0.04 at night, when it is cold."""
    running = [hour % 24 >= 8 or hour == 0 for hour in range(200)]
    rows = [(0, hour, 5.0, 70.0) if runs else (0, hour, 0.04, 20.0) for hour, runs in enumerate(running)]
    history = history_of(rows, channels=("current_a", "temperature_c"))
    assert value(history, "temperature_c.mean.72", (0, 200)) == 70.0
    assert value(history, "temperature_c.min.168", (0, 200)) == 70.0
    assert value(history, "temperature_c.baseline_difference.72", (0, 200)) == 0.0
    assert value(history, "load.24", (0, 200)) == 0.5
    assert value(history, "missing.168", (0, 200)) == 0.0
    assert np.isnan(value(history, "temperature_c.mean.6", (0, 199 // 24 * 24 + 7)))
    unrated = replace(history, machines=machines_of(1, rated_current_a=np.nan))
    assert value(unrated, "temperature_c.min.168", (0, 200)) == 70.0
    unmeasured = history_of([(0, hour, row[3]) for hour, row in enumerate(rows)])
    assert value(unmeasured, "temperature_c.min.168", (0, 200)) == 20.0


def test_a_dead_current_sensor_is_no_standstill_while_the_hours_are_counted():
    rows = [(0, hour, 5.0 if hour < 100 else 0.0, 1000.0 + hour, 20.0 + hour) for hour in range(200)]
    history = history_of(rows, channels=("current_a", "runtime_hours", "temperature_c"))
    assert value(history, "temperature_c.mean.1", (0, 200)) == 219.0


def test_a_machine_that_runs_for_minutes_of_each_hour_does_not_stand():
    rows = [(0, hour, 0.4, 70.0) for hour in range(200)]
    history = history_of(rows, channels=("current_a", "temperature_c"))
    history = replace(history, max=np.where([True, False], 9.0, history.max))
    assert value(history, "temperature_c.mean.24", (0, 200)) == 70.0


def test_a_machine_that_hardly_ever_came_near_its_rated_current_is_not_taken_to_stand():
    """Somebody gave milliamperes; what comes later does not change what was seen before."""
    rows = [(0, hour, 5.0, 50.0 + hour) for hour in range(48)]
    told = {"channels": ("current_a", "temperature_c"), "machines": machines_of(1, rated_current_a=5e3)}
    history = history_of(rows, **told)
    assert value(history, "temperature_c.mean.6", (0, 48)) == pytest.approx(94.5)
    later = history_of([*rows, (0, 48, 900.0, 50.0), (0, 49, 5.0, 20.0)], **told)
    assert value(later, "temperature_c.mean.6", (0, 48)) == pytest.approx(94.5)
    assert value(later, "temperature_c.mean.1", (0, 50)) == 20.0


def test_the_usual_level_is_the_median_of_the_days_that_are_over():
    days = (10.0, 30.0, 20.0, 90.0)
    history = history_of([(0, hour, days[hour // 24]) for hour in range(96)])
    assert value(history, "temperature_c.to_usual.24", (0, 72)) == pytest.approx(1.0)
    assert np.isnan(value(history, "temperature_c.to_usual.24", (0, 71)))
    assert value(history, "temperature_c.to_usual.24", (0, 95)) == pytest.approx((20 + 23 * 90) / 24 / 20)
    assert value(history, "temperature_c.to_usual.24", (0, 96)) == pytest.approx(90 / 25)


@pytest.mark.parametrize("level", [0.0, -18.0])
def test_a_level_that_is_not_above_zero_has_no_ratio(level):
    history = history_of([(0, hour, level) for hour in range(96)])
    assert np.isnan(value(history, "temperature_c.to_usual.24", (0, 96)))


@pytest.mark.parametrize("broken", [1e300, -1e300, np.inf])
def test_the_usual_level_outlives_a_broken_day(broken):
    rows = [(0, hour, broken if hour // 24 == 2 else 10.0 + hour // 24) for hour in range(120)]
    assert value(history_of(rows), "temperature_c.to_usual.24", (0, 120)) == pytest.approx(14 / 13, abs=0.2)


def test_running_hours_go_on_over_a_counter_reset_and_ignore_jitter():
    counted = [1000.0, 1001.0, 1000.9, 1002.0, 0.5, 1.5]
    history = history_of([(0, h, v) for h, v in enumerate(counted)], channels=("runtime_hours",))
    assert value(history, "running_hours", (0, 4)) == pytest.approx(1002.0)
    assert value(history, "running_hours", (0, 6)) == pytest.approx(1003.5)
    assert value(history, "runtime_hours.increase.24", (0, 6)) == pytest.approx(3.5)


def test_running_hours_before_a_silence_are_not_counted_as_recent():
    history = history_of([(0, 0, 10.0), (0, 500, 400.0), (0, 501, 401.0)], channels=("runtime_hours",))
    assert value(history, "runtime_hours.increase.24", (0, 502)) == pytest.approx(1.0)


def test_running_hours_since_the_last_service():
    history = history_of(
        [(0, h, 100.0 + h / 2) for h in range(50)], events_of((0, "service", 20)), channels=("runtime_hours",)
    )
    assert value(history, "running_hours_since_service", (0, 50)) == pytest.approx(15.0)
    assert np.isnan(value(history, "running_hours_since_service", (0, 20)))


def test_ratios_need_a_rated_current_and_a_current_that_flows():
    history = history_of([(0, 0, 5.0, 2.0), (1, 0, 0.0, 2.0)], channels=CHANNELS)
    assert value(history, "load.1", (0, 1)) == pytest.approx(0.5)
    assert value(history, "vibration_per_current.1", (0, 1)) == pytest.approx(0.4)
    assert np.isnan(value(history, "vibration_per_current.1", (1, 1)))
    unrated = replace(history, machines=machines_of(2, rated_current_a=np.nan))
    assert np.isnan(value(unrated, "load.1", (0, 1)))


def test_age_is_known_from_the_installation_and_else_the_first_reading_stands_in():
    history = history_of([(0, 5, 1.0)], machines=machines_of(1, installed=time_at(-100)))
    assert value(history, "age", (0, 10)) == 110
    assert np.isnan(value(history, "since_first", (0, 10)))
    unknown = history_of([(0, 5, 1.0)])
    assert np.isnan(value(unknown, "age", (0, 10)))
    assert value(unknown, "since_first", (0, 10)) == 5
    assert np.isnan(value(unknown, "since_first", (0, 5)))


def test_an_event_at_as_of_is_not_seen_and_a_minute_earlier_it_is():
    events = events_of((0, "service", 9, {"minutes": 59}), (0, "service", 10), (0, "failure", 10))
    history = history_of([(0, h, 1.0) for h in range(20)], events)
    assert value(history, "since_service", (0, 10)) == pytest.approx(1 / 60, rel=1e-5)
    assert np.isnan(value(history, "since_failure", (0, 10)))
    assert value(history, "since_failure", (0, 11)) == 1


def test_since_service_counts_components_apart_and_no_inspections():
    events = events_of(
        (0, "service", 5, {"component": "fan"}),
        (0, "service", 8, {"code": "inspection"}),
        (1, "service", 9, {"component": "fan"}),
    )
    history = history_of([(0, h, 1.0) for h in range(20)] + [(1, 0, 1.0)], events)
    components = ["bearing", "fan"]
    assert value(history, "since_service", (0, 10), components=components) == 5
    assert value(history, "component.fan.since_service", (0, 10), components=components) == 5
    assert np.isnan(value(history, "component.bearing.since_service", (0, 10), components=components))


@pytest.mark.parametrize(("code", "renewed"), [("preventive", True), ("replacement", True), ("corrective", False)])
def test_a_machine_renewed_as_a_whole_has_each_of_its_components_renewed(code, renewed):
    events = events_of((0, "service", 5, {"component": "fan"}), (0, "service", 8, {"code": code}))
    history = history_of([(0, h, 1.0) for h in range(20)], events)
    assert value(history, "component.fan.since_service", (0, 10), components=["fan"]) == (2 if renewed else 5)
    assert value(history, "component.fan.since_service", (0, 8), components=["fan"]) == 3


def test_fault_codes_are_counted_within_their_window():
    events = events_of(*((0, "fault_code", h, {"code": c}) for h, c in [(6, "E1"), (10, "E1"), (20, "E2")]))
    history = history_of([(0, h, 1.0) for h in range(40)], events)
    assert value(history, "fault.E1.count.24", (0, 30), codes=["E1", "E2"]) == 2
    assert value(history, "fault.E1.count.24", (0, 31), codes=["E1", "E2"]) == 1
    assert value(history, "faults.count.24", (0, 31), codes=["E1", "E2"]) == 2
    assert value(history, "fault.E2.since", (0, 31), codes=["E1", "E2"]) == 11


def test_the_share_of_missing_buckets_counts_from_the_first_reading():
    history = history_of([(0, h, 1.0) for h in (0, 1, 2, 10)])
    assert value(history, "missing.6", (0, 3)) == 0
    assert value(history, "missing.24", (0, 11)) == pytest.approx(7 / 11)
    assert value(history, "missing.6", (0, 11)) == pytest.approx(5 / 6)
    assert np.isnan(value(history, "missing.6", (0, 0)))


def test_a_moment_between_two_bucket_ends_sees_whole_buckets_only():
    history = history_of([(0, 0, 1.0), (0, 1, 3.0)])
    moments = Moments(np.array([0, 0]), as_of(1, 1) + np.array([0, HOUR - 1]))
    built = build(history, moments, catalogue(history.channels))
    assert built.values[:, built.names.index("temperature_c.mean.6")].tolist() == [1.0, 1.0]


def test_a_bucket_of_a_second_and_times_before_1970_work():
    history = history_of([(0, h - 2 * FIRST_BUCKET, float(h)) for h in range(100)])
    history = replace(history, bucket_seconds=1)
    moments = Moments(np.array([0]), np.array([-FIRST_BUCKET + 100]))
    built = build(history, moments, catalogue(history.channels, bucket_seconds=1))
    assert built.values[0, built.names.index("temperature_c.mean.6")] == pytest.approx(96.5)
    assert built.values[0, built.names.index("temperature_c.slope.72")] == pytest.approx(3600)
