"""Sums, minima and last values over trailing windows of many moments at once; the arithmetic under the builder.

A window's sum is the difference of two prefix sums. The prefixes start afresh every `BLOCK` buckets of a machine,
at fixed places of the calendar, and are centred on the block's first value: so they stay exact over years, and
neither another machine nor a later row can change a bit of a result. Blocks lie in two layers shifted by half a
block, so that every window fits whole into a block of one of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.history import Floats, Ints
from ml.features.rows import Rows, first_of_run

BLOCK = 512  # two layers need half a block to hold the longest window, 168 buckets
LONGEST = BLOCK // 2


class Window:
    """[start, stop) rows of each moment, and where their prefix sums stand (`low`, `high`) in which block."""

    def __init__(self, layers: Layers, start: Ints, stop: Ints) -> None:
        self._layers, self.start, self.stop = layers, start, stop
        self.filled = stop > start
        self.first, self.last = np.where(self.filled, start, 0), np.where(self.filled, stop - 1, 0)

    @cached_property
    def _layer(self) -> Ints:
        """Where the layer begins in which first and last row share a block."""
        block = self._layers.block
        return np.where(block[self.first] == block[self.last], 0, len(self._layers.rows))

    @cached_property
    def block(self) -> Ints:
        return self._layers.block[self._layer + self.first]

    @cached_property
    def high(self) -> Ints:
        return np.where(self.filled, self._layer + self.last + 1, 0)

    @cached_property
    def low(self) -> Ints:
        row = self._layer + self.first
        return np.where(self.filled & ~self._layers.first[row], row, 0)


class Layers:
    """The two layers of blocks over some rows, one behind the other: arrays of twice the rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        layers = [rows.bucket // BLOCK, (rows.bucket + LONGEST) // BLOCK]
        firsts = [first_of_run(rows.machine, number) for number in layers]
        self.first = np.concatenate(firsts)
        self.block = np.cumsum(self.first) - 1
        self.time = np.concatenate([rows.bucket % BLOCK, (rows.bucket + LONGEST) % BLOCK]).astype(float)

    def prefix(self, columns: list[Floats]) -> Floats:
        """[columns, 2 x rows + 1] running sums within each block, with a zero in front."""
        stacked = pd.DataFrame(np.stack(columns).T, copy=False)
        sums = np.zeros((len(columns), len(self.block) + 1))
        sums[:, 1:] = stacked.groupby(self.block, sort=False).cumsum().to_numpy().T
        return sums

    @cached_property
    def times(self) -> Floats:
        """Prefix of (1, t, t²) where every row is valid, as it mostly is; t counts buckets within the block."""
        return self.prefix([np.ones(len(self.time)), self.time, self.time**2])


class Sums:
    """Prefix sums of one column: of its values x, x² and x t, and of 1, t and t² where x is known."""

    def __init__(self, layers: Layers, column: Floats) -> None:
        known = np.isfinite(column)
        valid, value = np.tile(known, 2), np.tile(column, 2)
        position = np.where(valid, np.arange(len(valid)), len(valid) - 1)
        self.origin = value[np.minimum.reduceat(position, np.flatnonzero(layers.first))]
        x = np.where(valid, value - self.origin[layers.block], 0)
        times = layers.times
        if not known.all():
            times = layers.prefix([valid.astype(float), valid * layers.time, valid * layers.time**2])
        values = layers.prefix([x, x * x, x * layers.time])
        self._prefix = dict(zip(("x", "xx", "xt", "n", "t", "tt"), (*values, *times), strict=True))
        self._cache: dict[tuple[int, str], Floats] = {}

    def _over(self, window: Window, name: str) -> Floats:
        key = (id(window), name)
        if key not in self._cache:
            sums = self._prefix[name]
            self._cache[key] = sums[window.high] - sums[window.low]
        return self._cache[key]

    def mean(self, window: Window) -> Floats:
        n = self._over(window, "n")
        return np.where(n > 0, self.origin[window.block] + self._over(window, "x") / n, np.nan)

    def deviation(self, window: Window) -> Floats:
        """Of a sample, over n - 1."""
        n, x = self._over(window, "n"), self._over(window, "x")
        squares = self._over(window, "xx") - x * x / n
        return np.where(n > 1, np.sqrt(squares.clip(0) / (n - 1)), np.nan)

    def slope(self, window: Window) -> Floats:
        """Of the least-squares line, per bucket: (n Σxt - Σx Σt) / (n Σt² - (Σt)²)."""
        n, t = self._over(window, "n"), self._over(window, "t")
        across = n * self._over(window, "xt") - self._over(window, "x") * t
        return np.where(n > 1, across / (n * self._over(window, "tt") - t * t), np.nan)


class Extremes:
    """Minima of any range by a sparse table: level k holds the minimum of 2^k rows from each row on."""

    def __init__(self, column: Floats, longest: int) -> None:
        level = np.where(np.isfinite(column), column, np.inf)
        levels = [level]
        for step in (1 << k for k in range(longest.bit_length() - 1)):
            after = np.minimum(level[:-step], level[step:]) if step < len(level) else level[:0]
            level = np.concatenate([after, level[len(after) :]])
            levels.append(level)
        self._table, self._rows = np.concatenate(levels), len(column)

    def min(self, window: Window) -> Floats:
        level = np.frexp(np.maximum(window.stop - window.start, 1))[1].astype(np.int64) - 1
        second = np.where(window.filled, window.stop - (1 << level), 0)
        row = level * self._rows
        lowest = np.minimum(self._table[row + window.first], self._table[row + second])
        return np.where(window.filled & np.isfinite(lowest), lowest, np.nan)


def last_known(column: Floats, window: Window) -> Floats:
    """The latest known value in the window."""
    row = np.maximum.accumulate(np.where(np.isfinite(column), np.arange(len(column)), -1))[window.last]
    return np.where(window.filled & (row >= window.start), column[row], np.nan)


def share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Floats:
    """part / whole, unknown where whole is zero."""
    quotient: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=np.abs(whole) > 0)
    return quotient
