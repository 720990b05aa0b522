from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from app.dashboard import words


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.384, "38 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.001, "< 1 %"),
        (0.9999, "> 99 %"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_share_never_reads_as_impossible_or_certain_when_it_is_not(share, said):
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5.2371, "5.24"),
        (18402.3, "18,402"),
        (12.345, "12.3"),
        (-3.14159, "−3.14"),
        (0.001234, "1.2e-03"),
        (math.inf, "–"),
    ],
)
def test_numbers_have_as_many_digits_as_a_reader_can_use(value, said):
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("amount", "said"), [(41312.4, "€ 41,310"), (899.6, "€ 900"), (0, "€ 0"), (None, "–"), (-1200, "€ −1,200")]
)
def test_money_carries_its_sign_and_no_cents(amount, said):
    assert words.money(amount, "€") == said


@pytest.mark.parametrize(
    ("hours", "said"), [(0.2, "12 min"), (5, "5 h"), (24, "24 h"), (216, "9 days"), (2900, "4 months"), (None, "–")]
)
def test_durations_are_said_as_people_say_them(hours, said):
    assert words.duration(hours) == said


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("vibration_mm_s", ("vibration", "mm/s r.m.s.")),
        ("oil_pressure_bar", ("oil pressure", "bar")),
        ("s12", ("s12", "")),
        ("_c", ("c", "")),
        ("runtime_hours", ("runtime", "h")),
    ],
)
def test_a_channels_name_is_split_from_its_unit(key, said):
    assert words.channel(key) == said


def test_a_reading_from_a_clock_ahead_of_ours_is_just_now():
    now = datetime(2026, 11, 20, 14, tzinfo=UTC)
    assert words.ago(now + timedelta(minutes=3), now) == "just now"
    assert words.ago(now - timedelta(hours=3), now) == "3 h ago"
    assert words.ago(None, now) == "never"
