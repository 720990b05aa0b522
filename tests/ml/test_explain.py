"""Reasons name what drives the risk, in words a mechanic reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.explain import explain, groups_of
from ml.features.builder import build
from ml.features.catalogue import catalogue
from ml.features.history import History, Moments
from ml.reason_words import number, span
from ml.usual import own_usual

HOUR = 3600
ROWS = 800
FEATURES = catalogue(["temperature_c", "vibration_mm_s"], ["E7"], ["bearing"])
VIBRATION = [f.name for f in FEATURES].index("vibration_mm_s.mean.6")
FAULTS = [f.name for f in FEATURES].index("fault.E7.count.24")


def history(vibration, faults=()):
    random = np.random.default_rng(1)
    values = np.stack([60 + random.normal(size=len(vibration)), vibration], axis=1)
    machines = pd.DataFrame({"key": ["press-07"], "asset_class": [None]})
    for column in ("rated_power_kw", "rated_current_a"):
        machines[column] = np.nan
    for column in ("installed_at", "decommissioned_at"):
        machines[column] = pd.Series([pd.NaT], dtype="datetime64[us, UTC]")
    events = pd.DataFrame(
        {"machine": np.zeros(len(faults), int), "kind": "fault_code", "code": "E7", "component": None}
    )
    events["started_at"] = pd.to_datetime(np.array(faults, float) * HOUR, unit="s", utc=True).astype(
        "datetime64[us, UTC]"
    )
    events["ended_at"] = pd.Series([pd.NaT] * len(faults), dtype="datetime64[us, UTC]")
    zeros, ones = np.zeros_like(values), np.ones_like(values)
    place = np.zeros(len(values), np.int64)
    channels, buckets = ("temperature_c", "vibration_mm_s"), np.arange(len(values))
    return History(HOUR, machines, channels, place, buckets, ones, values, zeros, values, values, values, events)


def by_vibration(features):
    """A model whose risk is vibration above 2, and faults."""
    risk = np.clip((features.values[:, VIBRATION] - 2) / 5 + 0.1 * features.values[:, FAULTS], 0, 0.9)
    return risk[:, None, None]


def reasons(past, model=by_vibration):
    moments = Moments(np.array([0]), np.array([ROWS * HOUR]))
    now, usual = build(past, moments, FEATURES), own_usual(past, moments, FEATURES)
    return explain(model, FEATURES, now, usual, 0, HOUR)[0]


def rising():
    vibration = 2 + 0.05 * np.sin(np.arange(ROWS))
    vibration[-100:] += np.linspace(0, 2.5, 100)
    return vibration


def test_the_channel_that_drives_the_risk_is_named_with_value_usual_and_course():
    first = reasons(history(rising()))[0]
    assert first["words"] == "vibration 4.43 mm/s, usually 2, rising for 3 days"
    assert first["channel"] == "vibration_mm_s"
    assert first["share"] > 0.95
    assert first["value"] == pytest.approx(4.43, abs=0.1)


def test_a_level_that_stays_high_is_not_called_rising():
    vibration = 2 + 0.05 * np.sin(np.arange(ROWS))
    vibration[-100:] += 2
    assert "above for" in reasons(history(vibration))[0]["words"]


def test_fault_codes_are_a_reason_with_their_count():
    told = reasons(history(2 + 0.05 * np.sin(np.arange(ROWS)), faults=[ROWS - 3, ROWS - 2]))
    assert told[0]["words"].startswith("fault code E7, count over 24 h: 2, usually 0")


def test_shares_add_up_to_at_most_one_and_fall():
    told = reasons(history(rising(), faults=[ROWS - 3]))
    shares = [each["share"] for each in told]
    assert len(shares) == 2
    assert shares == sorted(shares, reverse=True)
    assert 0.9 < sum(shares) <= 1.001


def test_a_machine_as_usual_has_no_reasons():
    assert reasons(history(np.full(ROWS, 2.0)), lambda features: np.full((len(features), 1, 1), 0.1)) == []


def test_a_machine_too_young_to_have_a_usual_gets_none_made_up():
    past = history(np.full(10, 5.0))
    moments = Moments(np.array([0]), np.array([10 * HOUR]))
    usual = own_usual(past, moments, FEATURES)
    assert np.isnan(usual.middle.values).all()
    assert explain(by_vibration, FEATURES, build(past, moments, FEATURES), usual, 0, HOUR) == [[]]


def test_every_feature_belongs_to_one_thing():
    places = [place for group in groups_of(FEATURES) for place in group.features]
    assert sorted(places) == list(range(len(FEATURES)))
    assert {group.subject for group in groups_of(FEATURES)} == {
        "temperature_c", "vibration_mm_s", "age", "services", "failures", "fault codes", "missing data"
    }  # fmt: skip


def test_reasons_of_a_machine_do_not_depend_on_the_others():
    past = history(rising())
    times = np.array([ROWS - 200, ROWS]) * HOUR
    moments = Moments(np.array([0, 0]), times)
    both = explain(
        by_vibration, FEATURES, build(past, moments, FEATURES), own_usual(past, moments, FEATURES), 0, HOUR
    )
    assert both[1] == reasons(past)


def test_numbers_and_spans_as_people_write_them():
    assert [number(each) for each in (4.126, 1427.3, 0.0123, float("nan"))] == [
        "4.13",
        "1,427",
        "0.0123",
        "unknown",
    ]
    assert [span(each) for each in (0.5, 14, 48, 216)] == ["30 min", "14 h", "48 h", "9 days"]
