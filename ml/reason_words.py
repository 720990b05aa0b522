"""The words of a reason: `vibration 4.1 mm/s, usually 2.2, rising for 9 days`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.features.catalogue import Feature
from ml.features.history import Features, Floats
from ml.features.words import channel_words
from ml.usual import Usual, widths_away

# A level this many of its usual widths away speaks for itself; else the feature that is farthest off is named.
SPEAKING = 2.0
# A block still belongs to the present excursion while it keeps this share of it.
STILL_OFF = 0.25
# The excursion has grown or shrunk, not just stayed, when its ends differ by this share of it.
MOVED = 0.3
# Six buckets: one reading is noise, a day hides what began this morning.
LEVEL_WINDOW = 6
LONGEST_WINDOW = 168
HOURS_READ_AS_HOURS = 48


def reason_of(
    catalogue: Sequence[Feature], places: Sequence[int], now: Features, usual: Usual, row: int, bucket_seconds: int
) -> dict[str, Any] | None:
    """What of these features to tell of the machine in this row; None where nothing is known of them."""
    off = deviations(places, now, usual, row)
    level = _level(catalogue, places)
    if level is not None and off[places.index(level)] >= SPEAKING:
        return _told(
            catalogue[level],
            level,
            now,
            usual,
            row,
            _course(catalogue[level], level, now, usual, row, bucket_seconds),
        )
    if np.isnan(off).all():
        return None
    farthest = places[int(np.nanargmax(off))]
    return _told(catalogue[farthest], farthest, now, usual, row, "")


def deviations(places: Sequence[int], now: Features, usual: Usual, row: int) -> Floats:
    """How many of its usual widths each feature is away from its usual value; NaN where unknown."""
    at = (row, list(places))
    return np.abs(widths_away(now.values[at], usual.middle.values[at], usual.width[at]))


def _level(catalogue: Sequence[Feature], places: Sequence[int]) -> int | None:
    wanted = (
        place
        for place in places
        if (catalogue[place].kind, catalogue[place].window_buckets) == ("mean", LEVEL_WINDOW)
    )
    return next(wanted, None)


def _told(feature: Feature, place: int, now: Features, usual: Usual, row: int, course: str) -> dict[str, Any]:
    value, middle = float(now.values[row, place]), float(usual.middle.values[row, place])
    is_level = feature.kind == "mean" and feature.channel is not None
    name = channel_words(feature.channel or "") if is_level else feature.words
    words = f"{name}{' ' if is_level else ': '}{number(value)}{feature.unit and ' ' + feature.unit}"
    if np.isfinite(middle):
        words += f", usually {number(middle)}"
    return {
        "words": words + course,
        "channel": feature.channel,
        "feature": feature.name,
        "value": value if np.isfinite(value) else None,
        "usual": middle if np.isfinite(middle) else None,
        "unit": feature.unit,
    }


def _course(feature: Feature, place: int, now: Features, usual: Usual, row: int, bucket_seconds: int) -> str:
    """Since when, from the blocks of the longest window, and whether it grows; empty where they do not tell."""
    if feature.channel not in now.channels:
        return ""
    blocks = now.blocks[row, :, now.channels.index(feature.channel)].astype(np.float64)
    away = float(now.values[row, place] - usual.middle.values[row, place])
    off = (blocks - usual.middle.values[row, place]) / away
    lasting = _lasting(off)
    if not lasting or not np.isfinite(away):
        return ""
    hours = lasting * LONGEST_WINDOW / len(blocks) * bucket_seconds / 3600
    change = off[-1] - off[len(off) - lasting]
    course = ("rising" if away > 0 else "falling") if change > MOVED else ("above" if away > 0 else "below")
    if change < -MOVED:
        course = "coming back"
    return f", {course} for {span(hours)}{' or more' if lasting == len(blocks) else ''}"


def _lasting(off: Floats) -> int:
    """How many of the last blocks are off."""
    still = off >= STILL_OFF
    return len(still) if still.all() else int(np.argmin(still[::-1]))


def span(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours <= HOURS_READ_AS_HOURS else f"{hours / 24:.0f} days"


def number(value: float) -> str:
    """Three significant digits, thousands apart; `unknown` for NaN."""
    if not np.isfinite(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
