"""A machine's own early normal: mean and deviation of each channel's first buckets, as known then."""

from __future__ import annotations

import numpy as np

from ml.features.history import Floats, Ints
from ml.features.rows import Rows

# Two days of hourly buckets hold the daily cycle twice; of a machine that lives 130 buckets they leave two thirds.
BASELINE_BUCKETS = 48
# A deviation of fewer values says nothing yet.
FEWEST_FOR_DEVIATION = 6


class Baseline:
    """Mean and deviation after each of the first known values of a channel, [machines, values + 1]."""

    def __init__(self, rows: Rows, column: Floats, machines: int) -> None:
        known = np.isfinite(column)
        self._before = np.concatenate([[0], np.cumsum(known, dtype=np.int64)])
        self._start = self._before[rows.starts(machines)[:-1]]
        rank = self._before[1:] - 1 - self._start[rows.machine]
        early = known & (rank < BASELINE_BUCKETS)
        table = np.full((machines, BASELINE_BUCKETS), np.nan)
        table[rows.machine[early], rank[early]] = column[early]
        self._origin = table[:, 0]
        x = np.nan_to_num(table - table[:, :1], nan=0.0)
        self._x, self._xx = _running(x), _running(x * x)

    def at(self, machine: Ints, row: Ints) -> tuple[Floats, Floats]:
        """(mean, deviation) as known before that row."""
        n = np.minimum(self._before[row] - self._start[machine], BASELINE_BUCKETS)
        x, xx = self._x[machine, n], self._xx[machine, n]
        mean = np.where(n > 0, self._origin[machine] + x / n, np.nan)
        deviation = np.sqrt((xx - x * x / n).clip(0) / (n - 1))
        return mean, np.where((n >= FEWEST_FOR_DEVIATION) & (deviation > 0), deviation, np.nan)


def _running(x: Floats) -> Floats:
    return np.concatenate([np.zeros((len(x), 1)), np.cumsum(x, axis=1)], axis=1)
