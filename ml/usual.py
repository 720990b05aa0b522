"""What is usual for a machine: the middle of its own past, looked at through the same features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features.builder import build
from ml.features.catalogue import Feature
from ml.features.history import Features, Floats, History, Moments

# Times in the machine's past that tell what is usual; a dozen give a steady median.
LOOKS = 12
# A machine younger than this has no usual: it is not compared with its first hours.
FEWEST_BUCKETS = 24
LEAST_WIDTH = 0.02


@dataclass(frozen=True)
class Usual:
    """Along the moments: `middle` is what the features usually were, `width` [n, names] how far they vary."""

    middle: Features
    width: Floats

    def away(self, now: Features) -> Floats:
        """[n, names] how many of its usual widths each feature is from its usual value; NaN where unknown."""
        return widths_away(now.values, self.middle.values, self.width)


def widths_away(value: npt.NDArray[np.float32], middle: npt.NDArray[np.float32], width: Floats) -> Floats:
    """How many widths from the middle; what hardly ever varied is given a fiftieth of its level."""
    usual = middle.astype(np.float64)
    return np.asarray((value - usual) / np.maximum(np.maximum(width, LEAST_WIDTH * np.abs(usual)), 1e-6))


def own_usual(history: History, moments: Moments, features: Sequence[Feature]) -> Usual:
    """Medians over each machine's own past before each moment; NaN where it is too young."""
    machines, own = np.unique(moments.machine, return_inverse=True)
    theirs = history.only(machines)
    past = _past_moments(theirs, Moments(own, moments.as_of))
    seen = build(theirs, Moments(past.machine.ravel(), past.as_of.ravel()), features)
    shape = past.as_of.shape
    young = (past.as_of < 0).all(axis=0)
    values = seen.values.reshape(*shape, -1).astype(np.float64)
    middle = _median(values)
    width = _median(np.abs(values - middle))
    blocks = _median(seen.blocks.reshape(*shape, *seen.blocks.shape[1:]).astype(np.float64))
    middle[young], width[young], blocks[young] = np.nan, np.nan, np.nan
    return Usual(
        Features(moments, seen.names, middle.astype(np.float32), seen.channels, blocks.astype(np.float32)), width
    )


def _past_moments(history: History, moments: Moments) -> Moments:
    """[LOOKS, n] times spread over each machine's past, the last well before the moment; -1 for the young."""
    first_row = np.searchsorted(history.machine, moments.machine).clip(0, max(len(history.machine) - 1, 0))
    known = np.isin(moments.machine, history.machine)
    now = moments.as_of // history.bucket_seconds
    first = np.where(known, history.bucket[first_row], now) if len(history.machine) else now
    age = now - first
    share = np.linspace(0.1, 0.9, LOOKS)[:, None]
    looks = ((first + share * age).astype(np.int64) + 1) * history.bucket_seconds
    looks = np.where(age >= FEWEST_BUCKETS, looks, -1)
    return Moments(np.broadcast_to(moments.machine, looks.shape), looks)


def _median(values: Floats) -> Floats:
    """Over the first axis without its gaps; NaN where there is nothing."""
    ranked = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0, keepdims=True)
    low, high = (
        np.take_along_axis(ranked, place, axis=0)[0] for place in (np.maximum(count - 1, 0) // 2, count // 2)
    )
    return np.asarray((low + np.where(np.isfinite(high), high, low)) / 2)
