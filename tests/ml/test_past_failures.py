"""A machine at risk is told which past failure it is like: of the right mode, near enough, never one to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from histories import as_of, events_of, history_of

from ml.alike import like_past_failure
from ml.features.builder import build
from ml.features.catalogue import catalogue
from ml.features.history import Moments
from ml.labels import label
from ml.looks import distances
from ml.past_failures import Alike, PastFailures
from ml.usual import own_usual

CHANNELS = ("temperature_c", "vibration_mm_s")
FEATURES = catalogue(CHANNELS)
MODES = ("OHE", "VIB")
HOURS, LEARNT = 1500, 1100
HOUR = 3600
WEAR_HOURS = 160
# Machine, mode and hour. Those after LEARNT are the present; machine 0 then fails by vibration once more.
PAST = [(m, "VIB", 600 + 60 * m) for m in range(4)] + [(m, "OHE", 620 + 60 * (m - 4)) for m in range(4, 8)]
PRESENT = [(8, "VIB", 1400), (9, "OHE", 1400), (0, "VIB", 1400)]
HEALTHY = (10, 11)


@pytest.fixture(scope="module")
def fleet():
    """Machines of unlike levels: before VIB the vibration doubles, before OHE the temperature rises by half."""
    random = np.random.default_rng(3)
    shape = (12, HOURS)
    load = 1 + 0.05 * np.sin(2 * np.pi * np.arange(HOURS) / 24)
    vibration = (1 + 0.3 * np.arange(12))[:, None] * load * (1 + 0.03 * random.normal(size=shape))
    temperature = (40 + 2 * np.arange(12))[:, None] * load * (1 + 0.02 * random.normal(size=shape))
    for machine, mode, at in [*PAST, *PRESENT]:
        wear = (np.arange(WEAR_HOURS) / WEAR_HOURS) ** 2
        worn = slice(at - WEAR_HOURS, at)
        (vibration if mode == "VIB" else temperature)[machine, worn] *= 1 + (1.0 if mode == "VIB" else 0.5) * wear
    rows = [
        (machine, hour, temperature[machine, hour], vibration[machine, hour])
        for machine in range(12)
        for hour in range(HOURS)
    ]
    component = {"VIB": "bearing", "OHE": None}
    events = events_of(
        *(
            (machine, "failure", at, {"code": mode, "component": component[mode], "ended": at + 9})
            for machine, mode, at in [*PAST, *PRESENT]
        )
    )
    return history_of(rows, events, channels=CHANNELS)


@pytest.fixture(scope="module")
def past(fleet):
    machine, hour = (each.ravel() for each in np.meshgrid(np.arange(12), np.arange(300, LEARNT, 6)))
    moments = Moments(machine, as_of(*hour))
    until = fleet.events["started_at"].max()
    outcomes = label(fleet, moments, (24.0, 72.0, 168.0, 336.0), MODES, until)
    seen = outcomes.exposure.any(axis=1) & ~(outcomes.failure >= len(fleet.events))
    return PastFailures.learn(fleet, moments.take(seen), outcomes.take(seen), FEATURES, 0)


def asked(fleet, past, machine, hours, mode):
    """What this machine is said to be like at these hours, if `mode` is the most likely one."""
    moments = Moments(np.full(len(hours), machine), as_of(*hours))
    now, usual = build(fleet, moments, FEATURES), own_usual(fleet, moments, FEATURES)
    keys, modes = np.full(len(hours), f"m{machine}"), np.full(len(hours), MODES.index(mode))
    return past.alike(now, usual, keys, modes, HOUR)


def test_only_failures_that_were_learnt_from_are_kept(past):
    kept = set(zip(past.machine.tolist(), past.at.tolist(), strict=True))
    assert kept == {(f"m{machine}", as_of(at)[0]) for machine, _, at in PAST}
    assert np.bincount(past.of).max() <= 3


@pytest.mark.parametrize(("machine", "mode", "others"), [(8, "VIB", range(4)), (9, "OHE", range(4, 8))])
def test_a_machine_at_risk_is_like_one_that_failed_by_the_same_mode(fleet, past, machine, mode, others):
    [found] = asked(fleet, past, machine, [1390], mode)
    assert found.machine in {f"m{each}" for each in others}
    assert MODES[found.mode] == mode
    assert found.component == ("bearing" if mode == "VIB" else "")
    assert found.down_hours == 9
    assert 0 < found.hours_before <= 168


@pytest.mark.parametrize(("machine", "mode"), [(8, "OHE"), (9, "VIB")])
def test_it_is_not_like_the_failures_of_another_mode(fleet, past, machine, mode):
    assert asked(fleet, past, machine, [1390], mode) == [None]


@pytest.mark.parametrize("machine", HEALTHY)
@pytest.mark.parametrize("mode", MODES)
def test_a_healthy_machine_is_like_nothing(fleet, past, machine, mode):
    assert asked(fleet, past, machine, range(400, HOURS, 25), mode) == [None] * 44


def test_a_failure_to_come_is_never_named(fleet, past):
    present = as_of(1390)[0]
    later = replace(past, at=np.full_like(past.at, present))
    assert asked(fleet, later, 8, [1390], "VIB") == [None]
    just_before = replace(past, at=np.full_like(past.at, present - 1))
    assert asked(fleet, just_before, 8, [1390], "VIB") != [None]


def test_asked_about_the_past_a_model_names_only_what_had_been_by_then(fleet, past):
    # Machine 2 is worn at 715; those of machines 0 and 1 lie before, its own and that of machine 3 after.
    found = [each for each in asked(fleet, past, 2, range(650, 720, 5), "VIB") if each]
    assert found
    assert {each.machine for each in found} <= {"m0", "m1"}
    assert asked(fleet, past, 0, [595], "VIB") == [None]


def test_an_own_failure_counts_once_the_windows_no_longer_reach_back_to_it(fleet, past):
    own = replace(past, machine=np.full_like(past.machine, "m0"))
    assert asked(fleet, own, 0, [1390], "VIB")[0].machine == "m0"
    recent = replace(own, at=np.full_like(past.at, as_of(1390 - 168)[0]))
    assert asked(fleet, recent, 0, [1390], "VIB") == [None]


def test_a_machine_too_young_to_have_a_usual_is_like_nothing(fleet, past):
    assert asked(fleet, past, 8, [10], "VIB") == [None]


def test_nothing_is_kept_where_no_failure_showed(fleet):
    healthy = Moments(np.full(50, 10), as_of(*range(400, 900, 10)))
    outcomes = label(fleet, healthy, (24.0, 168.0), MODES)
    assert PastFailures.learn(fleet, healthy, outcomes, FEATURES, 0) is None
    failing = Moments(np.full(50, 0), as_of(*range(300, 600, 6)))
    outcomes = label(fleet, failing, (24.0, 168.0), MODES)
    assert PastFailures.learn(fleet, failing, outcomes, catalogue(["runtime_hours"]), 0) is None


def test_of_one_failure_alone_nobody_can_say_how_near_is_near(fleet, past):
    alone = Moments(np.repeat([0, 10], 100), as_of(*range(300, 600, 3), *range(300, 600, 3)))
    outcomes = label(fleet, alone, (24.0, 168.0), MODES)
    kept = PastFailures.learn(fleet, alone, outcomes, FEATURES, 0)
    assert np.isnan(kept.limit).all()
    assert asked(fleet, kept, 8, [1390], "VIB") == [None]


def test_it_is_kept_without_objects_and_small(fleet, past):
    parts = past.parts()
    again = PastFailures.from_parts(parts)
    assert asked(fleet, again, 8, [1390], "VIB") == asked(fleet, past, 8, [1390], "VIB")
    assert sum(map(len, parts.values())) < 50_000
    assert PastFailures.from_parts({}) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"of": np.array([0, 99])},
        {"mode": np.array([7])},
        {"values": np.zeros((2, 3))},
        {"width": np.zeros(2)},
        {"at": np.array([1.5])},
        {"columns": np.array([1, 2])},
        {"of": np.zeros(0, np.int64), "hours_before": np.zeros(0), "values": np.zeros((0, 2))},
    ],
)
def test_what_does_not_fit_together_is_refused(broken):
    one, names = np.ones(1), np.array(["a", "b"])
    whole = PastFailures(
        names, np.zeros(2), np.ones(2), names[:1], np.ones(1, int), np.zeros(1, int), names[:1], one,
        np.zeros(2, int), np.ones(2), np.zeros((2, 2)), np.array(1.0), one,
    )  # fmt: skip
    assert PastFailures.from_parts(whole.parts())
    with pytest.raises(ValueError, match="past failures"):
        PastFailures.from_parts(replace(whole, **broken).parts())


def test_looks_with_little_in_common_are_not_near():
    nan = np.nan
    found = distances(np.array([[0.0, 0, nan, nan], [0, nan, nan, nan]]), np.array([[3.0, 4, 1, nan]]))
    assert found[0, 0] == pytest.approx(np.sqrt((9 + 16) / 2))
    assert np.isinf(found[1, 0])


FAILURE = Alike("press-12", 1_793_700_000, 1, "bearing", 9.0, 70.0)


@pytest.mark.parametrize(
    ("found", "machine", "said"),
    [
        (FAILURE, "press-07", "like press-12 3 days before its bearing failure on 3 Nov 2026, down for 9 h"),
        (FAILURE, "press-12", "like itself 3 days before its bearing failure on 3 Nov 2026, down for 9 h"),
        (
            replace(FAILURE, component="", down_hours=float("nan"), hours_before=20.4),
            "press-07",
            "like press-12 20 h before its VIB failure on 3 Nov 2026",
        ),
        (
            replace(FAILURE, component="", mode=2, down_hours=float("nan")),
            "press-07",
            "like press-12 3 days before its failure on 3 Nov 2026",
        ),
    ],
)  # fmt: skip
def test_the_words_say_whose_failure_which_and_when(found, machine, said):
    reason = like_past_failure(found, machine, (*MODES, "other"))
    assert reason["words"] == said
    assert reason["share"] is None
    assert reason["like"]["machine"] == "press-12"
    assert reason["like"]["failed_at"] == "2026-11-03T10:00:00+00:00"
