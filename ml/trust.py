"""When a prediction should not be believed: too little or too old data, each with its reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from app.duration import duration_text
from ml.features.history import Floats, History, Ints, Moments
from ml.features.rows import Rows
from ml.features.standstill import stood
from ml.features.view import LOOK_BACK
from ml.features.words import channel_words

Flags = npt.NDArray[np.bool_]

# The look-back over which data must be there: a day when the bucket is an hour.
RECENT_BUCKETS = 24
# Below half of it the window statistics describe gaps more than the machine.
LOWEST_COVERAGE = 0.5
# Until then a machine has no normal of its own to be compared with.
FEWEST_BUCKETS = 12


@dataclass(frozen=True)
class Trust:
    """[n] each. coverage: share of the last RECENT_BUCKETS with data, over those of the model's channels that this
    machine ever had: a pump's pressure is not missing on a press.

    reason: None where the prediction may be believed; usable is False where there is nothing to predict from.
    """

    coverage: Floats
    reason: list[str | None]
    usable: Flags

    @property
    def believed(self) -> Flags:
        """[n]"""
        return np.array([reason is None for reason in self.reason], dtype=bool)

    def without_risk(self, why: str) -> Trust:
        """The same data, asked for a risk that nobody can tell."""
        return Trust(self.coverage, [reason or why for reason in self.reason], np.zeros_like(self.usable))


def judge_data(history: History, moments: Moments, channels: Sequence[str], silent_after: timedelta) -> Trust:
    """What the data before each moment is worth to a model that learnt from `channels`."""
    if not channels:
        return Trust(np.zeros(len(moments)), ["no reading yet"] * len(moments), np.zeros(len(moments), bool))
    rows = Rows(history.machine, history.bucket)
    now = moments.as_of // history.bucket_seconds
    end, begin = rows.locate(moments.machine, now), rows.locate(moments.machine, now - RECENT_BUCKETS)
    first = rows.starts(len(history.machines))[moments.machine]
    recent = np.stack([_seen(history, channel, begin, end) for channel in channels], axis=1) / RECENT_BUCKETS
    had = np.stack([_seen(history, channel, first, end) > 0 for channel in channels], axis=1)
    coverage = (recent * had).sum(axis=1) / np.maximum(had.sum(axis=1), 1)
    silent = _silent_seconds(history, rows, moments, end, first)
    idle = _idle(history, rows, rows.locate(moments.machine, now - LOOK_BACK), end)
    patience = max(silent_after.total_seconds(), 2 * history.bucket_seconds)
    reasons = [
        _too_old(int(n), float(quiet), patience, history.bucket_seconds)
        or _too_thin(int(n), float(covered), gone, channels, history.bucket_seconds)
        or (_only_stood(history.bucket_seconds) if still else None)
        for n, quiet, covered, gone, still in zip(
            end - first, silent, coverage, had & (recent == 0), idle, strict=True
        )
    ]
    return Trust(coverage, reasons, np.asarray(had.any(axis=1)))


def _seen(history: History, channel: str, begin: Ints, end: Ints) -> Floats:
    """[n] buckets in [begin, end) that hold this channel; none where the history lacks it."""
    if channel not in history.channels:
        return np.zeros(len(begin))
    counts = np.concatenate([[0.0], np.cumsum(history.n[:, history.channels.index(channel)] > 0)])
    return np.asarray(counts[end] - counts[begin])


def _idle(history: History, rows: Rows, begin: Ints, end: Ints) -> Flags:
    """[n] whether the machine stood in all rows of [begin, end)."""
    still = np.concatenate([[0], np.cumsum(stood(history, rows))])
    return np.asarray((end > begin) & (still[end] - still[begin] == end - begin))


def _silent_seconds(history: History, rows: Rows, moments: Moments, end: Ints, first: Ints) -> Floats:
    """[n] seconds between the end of the last bucket with data and the moment; infinite without any."""
    last = np.where(end > first, end - 1, 0)
    bucket = rows.bucket[last] if len(rows) else np.zeros(len(end), dtype=np.int64)
    quiet = moments.as_of - (bucket + 1) * history.bucket_seconds
    return np.where(end > first, quiet.astype(float), np.inf)


def _too_old(buckets: int, quiet: float, patience: float, bucket_seconds: int) -> str | None:
    if buckets == 0:
        return "no reading yet"
    if quiet >= patience:
        return f"silent for {_rounded(quiet)}"
    if buckets < FEWEST_BUCKETS:
        return f"only {_rounded(buckets * bucket_seconds)} of data so far"
    return None


def _too_thin(
    buckets: int, coverage: float, gone: Flags, channels: Sequence[str], bucket_seconds: int
) -> str | None:
    span = _rounded(RECENT_BUCKETS * bucket_seconds)
    if gone.any():
        names = [channel_words(channel) for channel, lost in zip(channels, gone, strict=True) if lost]
        return f"no {', '.join(names[:3])} in the last {span}"
    if coverage == 0:
        return "none of the channels the model learnt from"
    if coverage < LOWEST_COVERAGE and buckets >= RECENT_BUCKETS:
        return f"only {coverage:.0%} of the last {span} has data"
    return None


def _only_stood(bucket_seconds: int) -> str:
    return f"it stood for {_rounded(LOOK_BACK * bucket_seconds)} or longer, by its current"


def _rounded(seconds: float) -> str:
    """In the largest unit of which there are at least two: 5400 -> 90m, 200000 -> 2d."""
    for unit in (86400, 3600, 60):
        if seconds >= 2 * unit:
            return duration_text(timedelta(seconds=round(seconds / unit) * unit))
    return f"{seconds:.0f}s"
