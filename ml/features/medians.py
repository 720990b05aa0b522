"""What is usual for a machine: the median of a channel's means over its days, as known after each of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.features.catalogue import DAY
from ml.features.history import Floats, Ints
from ml.features.rows import Rows

# Fewer values make no mean of a day, fewer days no median.
FEWEST_VALUES, FEWEST_DAYS = 6, 3


class Medians:
    """A day is DAY buckets, from midnight UTC on where a bucket is an hour."""

    def __init__(self, rows: Rows, column: Floats) -> None:
        known = np.flatnonzero(np.isfinite(column))
        machine, day = rows.machine[known], rows.bucket[known] // DAY
        begins = np.flatnonzero(np.r_[True, (np.diff(machine) != 0) | (np.diff(day) != 0)]) if len(known) else known
        values = np.diff(np.append(begins, len(known)))
        # Shares of the mean, so that what is too large to be added up stays a number.
        share = column[known] / np.repeat(values, values)
        mean = np.add.reduceat(share, begins) if len(known) else share
        told = (values >= FEWEST_VALUES) & np.isfinite(mean)
        machine, day, mean = machine[begins][told], day[begins][told], mean[told]
        self._days = Rows(machine, day)
        by_machine = pd.Series(mean).groupby(machine, sort=False)
        self._median = by_machine.expanding(FEWEST_DAYS).median().to_numpy() if len(mean) else mean

    def at(self, machine: Ints, bucket: Ints) -> Floats:
        """Of the days that are over before that bucket; NaN where they are too few."""
        if not len(self._days):
            return np.full(len(machine), np.nan)
        position = self._days.locate(machine, bucket // DAY) - 1
        own = (position >= 0) & (self._days.machine[position] == machine)
        return np.where(own, self._median[position], np.nan)
