"""The catalogue: every feature named once, with a unit and words for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from histories import events_of

from ml.features.catalogue import (
    CURRENT,
    LEVEL_WINDOWS,
    VIBRATION,
    WINDOWS,
    catalogue,
    catalogue_for,
    most_frequent,
    sequence_channels,
)
from ml.features.channel import Channel
from ml.features.document import document
from ml.features.view import View
from ml.features.words import channel_unit, channel_words, window_words

PAGE = Path(__file__).parents[3] / "docs" / "features.md"
ALL = catalogue(["current_a", "vibration_mm_s", "runtime_hours", "pressure_bar"], ["E1", "E2"], ["fan", "bearing"])


def test_every_name_occurs_once_even_where_channels_are_called_like_features():
    odd = catalogue(["age", "missing", "load", "fault.E1", "since_first"], ["E1", "count"], ["age"])
    for features in (ALL, odd):
        assert len({f.name for f in features}) == len(features)


def test_every_feature_has_words_and_a_kind_the_builder_knows():
    for feature in ALL:
        assert feature.words
        assert feature.kind in (Channel.KINDS if feature.channel else View.KINDS)


def test_the_order_of_channels_does_not_change_the_list():
    assert catalogue(["b", "a"]) == catalogue(["a", "b"])


def test_no_feature_knows_the_hour_of_the_day():
    assert not [f for f in ALL if "hour_of" in f.name or "weekday" in f.name]


def test_a_counter_has_no_level_and_ratios_need_their_channels():
    assert "runtime_hours.mean.24" not in {f.name for f in ALL}
    assert sequence_channels(ALL) == ("current_a", "pressure_bar", "vibration_mm_s")
    assert not [f for f in catalogue([VIBRATION]) if f.kind == "vibration_per_current"]
    assert [f for f in catalogue([CURRENT]) if f.kind == "load"]


def test_each_level_is_looked_at_over_the_windows_of_the_design():
    assert WINDOWS == (1, 6, 24, 72, 168)
    for kind in ("mean", "min", "max"):
        assert LEVEL_WINDOWS[kind] == WINDOWS
    for kind in ("deviation", "slope"):
        assert LEVEL_WINDOWS[kind] == WINDOWS[1:]


@pytest.mark.parametrize(
    ("channel", "words", "unit"),
    [
        ("vibration_mm_s", "vibration", "mm/s"),
        ("temperature_c", "temperature", "°C"),
        ("current_a", "current", "A"),
        ("oil_pressure_bar", "oil pressure", "bar"),
        ("rotate", "rotate", ""),
        ("_a", " a".strip(), ""),
    ],
)
def test_a_channels_name_is_read_as_words_and_unit(channel, words, unit):
    assert (channel_words(channel), channel_unit(channel)) == (words, unit)


def test_windows_are_said_in_the_units_of_the_bucket():
    assert window_words(24, 3600) == "over 24 h"
    assert window_words(168, 3600) == "over 7 d"
    assert window_words(24, 900) == "over 6 h"
    assert window_words(24, 1) == "over 24 s"
    assert window_words(1, 3600) == "in the last bucket"


def test_only_the_most_frequent_codes_are_kept_whatever_the_order_of_events():
    values = pd.Series(["b", "a", "c", "a", "c", None])
    assert most_frequent(values, 2) == most_frequent(values[::-1], 2) == ("a", "c")


def test_the_catalogue_of_a_history_names_its_codes_and_components():
    events = events_of(
        (0, "fault_code", 1, {"code": "E9"}),
        (0, "service", 2, {"code": "preventive", "component": "fan"}),
        (0, "failure", 3, {"code": "VIB"}),
    )
    subjects = {f.subject for f in catalogue_for(events, ["x"], 3600)}
    assert subjects == {None, "E9", "fan"}


def test_the_page_of_features_is_current():
    assert PAGE.read_text(encoding="utf-8") == document(), "run python -m ml.features.document > docs/features.md"
