"""The words of an anomaly: which channels left the machine's own first normal operation, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np

from ml.features.words import channel_unit, channel_words
from ml.models.anomaly import Anomalies
from ml.reason_words import number

# From this score on it is told; 1 is the alarm level.
TOLD_FROM = 0.8
# Channels so many of their usual widths away have left by themselves; else they only go together otherwise.
LEFT = 4.0
MOST_NAMED = 2


def unlike_itself(found: Anomalies, row: int) -> dict[str, Any] | None:
    """A reason in the form of ml.reason_words; None where the machine is as it was, or nothing is known of it."""
    if not found.score[row] >= TOLD_FROM:
        return None
    away = np.nan_to_num(np.abs(found.away[row]), nan=0.0)
    farthest = [int(place) for place in np.argsort(-away, kind="stable")[:MOST_NAMED]]
    left = [place for place in farthest if away[place] >= LEFT]
    named = left or farthest[:1]
    told = " and ".join(_level(found, row, place) for place in named)
    how = "unlike its own first normal operation" if left else "channels no longer go together as they did at first"
    first = named[0]
    return {
        "words": f"{how}: {told}",
        "channel": found.channels[first],
        "feature": None,
        "value": float(found.now[row, first]),
        "usual": float(found.usual[row, first]),
        "unit": channel_unit(found.channels[first]),
        "share": None,
    }


def _level(found: Anomalies, row: int, place: int) -> str:
    channel, unit = found.channels[place], channel_unit(found.channels[place])
    now, usual = found.now[row, place], found.usual[row, place]
    return f"{channel_words(channel)} {number(now)}{unit and ' ' + unit}, then {number(usual)}"
