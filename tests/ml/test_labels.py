"""Labels at their boundaries: which interval a failure falls into, and what censors."""

from __future__ import annotations

import numpy as np
import pytest
from histories import events_of, history_of, machines_of, moments_at, time_at

from ml.endings import in_use
from ml.failures import FEWEST_FAILURES, failure_modes, failures
from ml.labels import label, seen_until

HORIZONS = (24.0, 72.0, 168.0)
# Machine 0 is heard of long after everything below, so nothing is cut off by the end of its data.
LONG = [(0, hour, 1.0) for hour in range(1000)]


def outcome(events, hour, rows=LONG, machines=None, until=None, modes=("failure",)):
    """What became of machine 0 as seen from one hour."""
    history = history_of(rows, events, machines)
    return label(history, moments_at((0, hour)), HORIZONS, modes, until)


@pytest.mark.parametrize(
    ("hours", "interval"), [(0, 0), (23, 0), (24, 1), (71, 1), (72, 2), (167, 2), (168, 3), (400, 3)]
)
def test_a_failure_falls_into_the_interval_that_begins_before_it_and_ends_after(hours, interval):
    found = outcome(events_of((0, "failure", 100 + hours)), 100)
    assert found.interval[0] == interval
    assert found.hours_to_failure[0] == hours
    assert found.exposure[0].tolist() == [k <= interval for k in range(3)]
    assert (found.mode[0], found.failure[0]) == ((0, 0) if interval < 3 else (-1, -1))


def test_a_failure_a_minute_before_as_of_is_the_past():
    found = outcome(events_of((0, "failure", 99, {"minutes": 59})), 100)
    assert found.interval[0] == 3
    assert np.isnan(found.hours_to_failure[0])
    assert (found.exposure == 1).all()


def test_the_failures_of_other_machines_are_not_mine():
    found = outcome(events_of((1, "failure", 110)), 100, [*LONG, (1, 0, 1.0), (1, 999, 1.0)])
    assert found.interval[0] == 3


def test_the_end_of_the_data_leaves_out_what_nobody_saw():
    rows = [(0, hour, 1.0) for hour in range(200)]
    assert outcome(events_of(), 200 - 24, rows).exposure[0].tolist() == [1, 0, 0]
    assert outcome(events_of(), 200 - 23, rows).exposure[0].tolist() == [0, 0, 0]
    assert outcome(events_of(), 200 - 23, rows).hours_observed[0] == 23


def test_an_interval_cut_by_the_end_is_left_out_for_failures_too():
    """Else the hazard of long intervals would be counted from failures without their survivors."""
    rows = [(0, hour, 1.0) for hour in range(200)]
    found = outcome(events_of((0, "failure", 110)), 100, rows)
    assert found.exposure[0].tolist() == [1, 0, 0]
    cut = outcome(events_of((0, "failure", 160)), 150, rows)
    assert cut.interval[0] == 0
    assert cut.exposure[0, 0]
    cut = outcome(events_of((0, "failure", 165)), 140, rows)
    assert cut.interval[0] == 1
    assert not cut.exposure[0, 1]


def test_a_machine_run_to_failure_was_not_cut_off():
    rows = [(0, hour, 1.0) for hour in range(200)]
    found = outcome(events_of((0, "failure", 200)), 150, rows)
    assert found.interval[0] == 1
    assert found.exposure[0].tolist() == [1, 1, 0]


def test_after_its_last_failure_a_machine_is_watched_to_its_last_reading_only():
    rows = [(0, hour, 1.0) for hour in range(210)]
    found = outcome(events_of((0, "failure", 200)), 205, rows)
    assert found.hours_observed[0] == 5
    assert not found.exposure.any()


def test_what_happens_from_until_on_is_not_known():
    found = outcome(events_of((0, "failure", 130)), 100, until=time_at(130))
    assert found.interval[0] == 3
    assert found.exposure[0].tolist() == [1, 0, 0]
    assert found.hours_observed[0] == 30


def test_decommissioning_censors():
    for told in (
        {"events": events_of((0, "decommission", 150), (0, "failure", 160))},
        {"events": events_of((0, "failure", 160)), "machines": machines_of(1, decommissioned=time_at(150))},
    ):
        found = outcome(hour=100, **told)
        assert found.interval[0] == 3
        assert found.exposure[0].tolist() == [1, (50 - 24) / 48, 0]
        assert found.hours_observed[0] == 50


@pytest.mark.parametrize("code", ["preventive", "replacement"])
def test_a_preventive_service_or_a_replacement_of_the_whole_machine_censors(code):
    found = outcome(events_of((0, "service", 150, {"code": code}), (0, "failure", 160)), 100)
    assert found.interval[0] == 3
    assert found.exposure[0].tolist() == [1, (50 - 24) / 48, 0]


@pytest.mark.parametrize(
    "service",
    [
        {"code": "preventive", "component": "fan"},
        {"code": "replacement", "component": "fan"},
        {"code": "inspection"},
        {"code": "corrective"},
        {},
    ],
)
def test_other_services_are_the_maintenance_that_happens(service):
    found = outcome(events_of((0, "service", 150, service), (0, "failure", 160)), 100)
    assert found.interval[0] == 1


def test_a_service_at_the_time_of_a_failure_is_its_repair():
    found = outcome(events_of((0, "service", 150, {"code": "preventive"}), (0, "failure", 150)), 100)
    assert found.interval[0] == 1


def test_components_that_fail_together_are_one_failure_of_the_more_frequent_mode():
    together = [(0, "failure", 50, {"component": "a"}), (0, "failure", 50, {"component": "b"})]
    history = history_of(LONG, events_of(*together, (0, "failure", 300, {"component": "b"})))
    found = failures(history)
    assert found["mode"].tolist() == ["b", "b"]
    assert len(found) == 2


def test_rare_modes_are_pooled_and_the_frequent_come_first():
    often = [(0, "failure", 10 * n, {"code": "VIB"}) for n in range(FEWEST_FAILURES + 1)]
    enough = [(0, "failure", 10 * n + 1, {"code": "OHE"}) for n in range(FEWEST_FAILURES)]
    rare = [(0, "failure", 500, {"code": "NOI"})]
    history = history_of(LONG, events_of(*often, *enough, *rare))
    assert failure_modes(history) == ("VIB", "OHE", "other")
    assert failure_modes(history_of(LONG, events_of(*often, *enough))) == ("VIB", "OHE")
    assert failure_modes(history_of(LONG, events_of(*rare))) == ("failure",)
    assert failure_modes(history_of(LONG, events_of((0, "failure", 3)))) == ("failure",)
    found = label(history, moments_at((0, 499)), HORIZONS, failure_modes(history))
    assert found.mode.tolist() == [2]


def test_a_mode_is_the_code_and_without_one_the_component():
    events = events_of(
        (0, "failure", 1, {"code": "VIB", "component": "fan"}), (0, "failure", 2, {"component": "fan"})
    )
    assert failures(history_of(LONG, events))["mode"].tolist() == ["VIB", "fan"]


def test_moments_inside_a_downtime_or_after_the_end_are_no_snapshots():
    events = events_of(
        (0, "failure", 100, {"ended": 150}),
        (0, "service", 110, {"ended": 120}),
        (0, "fault_code", 300, {"ended": 400}),
        (0, "decommission", 500),
    )
    hours = (100, 101, 130, 149, 150, 350, 499, 500, 501)
    used = in_use(history_of(LONG, events), moments_at(*((0, hour) for hour in hours)))
    assert used.tolist() == [True, False, False, False, True, True, True, False, False]


def test_looking_from_earlier_is_the_same_as_labelling_then():
    events = events_of((0, "failure", 130), (0, "failure", 400))
    history = history_of(LONG, events)
    moments = moments_at(*((0, hour) for hour in range(50, 400, 7)))
    whole = label(history, moments, HORIZONS, ("failure",))
    for hour in (100, 131, 250, 401):
        past = moments.take(moments.as_of <= time_at(hour).timestamp())
        then = label(history, past, HORIZONS, ("failure",), time_at(hour))
        cut = seen_until(
            whole.take(moments.as_of <= time_at(hour).timestamp()), past, int(time_at(hour).timestamp())
        )
        np.testing.assert_array_equal(cut.interval, then.interval)
        np.testing.assert_array_equal(cut.exposure, then.exposure)
        np.testing.assert_array_equal(cut.failure, then.failure)
        np.testing.assert_allclose(cut.hours_observed, then.hours_observed)


def test_a_machine_without_readings_or_events_is_never_seen():
    history = history_of(LONG, machines=machines_of(2))
    found = label(history, moments_at((1, 100)), HORIZONS, ("failure",))
    assert not found.exposure.any()
    assert found.hours_observed[0] == 0
