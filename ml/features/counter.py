"""Running hours from a counter that starts again when it is replaced."""

from __future__ import annotations

import numpy as np
import pandas as pd

from app.ingest.plausibility import RESET_BELOW
from ml.features.history import Floats, Ints
from ml.features.rows import Rows


class Counter:
    """The counter as if it had never been reset."""

    def __init__(self, rows: Rows, column: Floats, machines: int) -> None:
        known = np.isfinite(column)
        self._rows = rows
        self._before = np.concatenate([[0], np.cumsum(known, dtype=np.int64)])
        self._start = self._before[rows.starts(machines)[:-1]]
        self._bucket = rows.bucket[known]
        self._hours = _unwrapped(rows.machine[known], column[known])

    def _value(self, position: Ints) -> Floats:
        value: Floats = self._hours[position.clip(0, len(self._hours) - 1)]
        return value

    def at(self, machine: Ints, bucket: Ints) -> Floats:
        """The last value before that bucket; NaN where there is none."""
        position = self._before[self._rows.locate(machine, bucket)]
        if not len(self._hours):
            return np.full(len(machine), np.nan)
        return np.where(position > self._start[machine], self._value(position - 1), np.nan)

    def increase(self, machine: Ints, bucket: Ints, buckets: int) -> Floats:
        """Over the window before that bucket, from the value just before it or else the first within."""
        if not len(self._hours):
            return np.full(len(machine), np.nan)
        stop = self._before[self._rows.locate(machine, bucket)]
        first = self._before[self._rows.locate(machine, bucket - buckets)]
        previous = (first - 1).clip(0)
        adjacent = (first > self._start[machine]) & (self._bucket[previous] == bucket - buckets - 1)
        since = self._value(np.where(adjacent, previous, first))
        return np.where(stop > first, (self._value(stop - 1) - since).clip(0), np.nan)


def _unwrapped(machine: Ints, hours: Floats) -> Floats:
    lost = np.zeros(len(hours))
    reset = (machine[1:] == machine[:-1]) & (hours[1:] < RESET_BELOW * hours[:-1])
    lost[1:][reset] = hours[:-1][reset]
    return hours + pd.Series(lost).groupby(machine, sort=False).cumsum().to_numpy()
