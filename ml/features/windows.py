"""Sums, extremes and last values over trailing windows of many moments at once; the arithmetic under the builder.

Rows are laid out in segments: SEGMENT buckets of one machine at fixed places of the calendar, with the longest
window in front, a place for every bucket. A window's sum is the difference of two running sums of its segment,
centred on the segment's first value: so they stay exact over years, and neither another machine nor a later row can
change a bit of a result.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

from ml.features.history import Floats, Ints
from ml.features.rows import Rows, concatenated

# A broken sensor's 1e30 would swallow the running sums of all that follows it: values so far from the usual are
# summed apart.
FAR = 1e5
# Rows up to a segment's first whose middle value is taken for the usual: one of them may be broken.
LEADING = 3
# Whose square and its sums still are numbers.
FARTHEST = 1e140
# Shorter segments repeat the window in front more often, longer ones compute more for a single moment.
SEGMENT = 256


class Segments:
    """The segments that some moments look into. `width` places each, up to the last that any of them can see."""

    def __init__(self, rows: Rows, machine: Ints, end: Ints, look_back: int) -> None:
        """Moments, sorted by (machine, end), see the `look_back` buckets before `end`."""
        number = segment_of(end)
        first = np.flatnonzero(np.r_[True, (np.diff(machine) != 0) | (np.diff(number) != 0)]) if len(end) else end
        self.count = len(first)
        begin = number[first] * SEGMENT - look_back
        self._of = np.repeat(np.arange(self.count), np.diff(np.append(first, len(end))))
        self._at = end - begin[self._of]
        self.width = int(self._at.max(initial=0))
        start = rows.locate(machine[first], begin)
        own = rows.locate(machine[first], np.full(self.count, rows.first_bucket))
        self._leading = np.maximum(start[:, None] - np.arange(LEADING), own[:, None]).clip(0, max(len(rows) - 1, 0))
        stop = np.maximum(rows.locate(machine[first], begin + self.width), start)
        self.rows = concatenated(start, stop)
        self._place = rows.bucket[self.rows] - np.repeat(begin, stop - start)
        self._place += np.repeat(np.arange(self.count) * self.width, stop - start)

    def leading(self, column: Floats) -> Floats:
        """[segments, LEADING] of a column of all rows: the first row of each segment and those before it."""
        return column[self._leading] if len(column) else np.full(self._leading.shape, np.nan)

    def grid(self, values: Floats) -> Floats:
        """[segments, width] of the values of `rows`; NaN where there is none."""
        laid = np.full(self.count * self.width, np.nan)
        laid[self._place] = values
        return laid.reshape(self.count, self.width)

    def window(self, back: int, until: int = 0) -> Window:
        """The places of buckets [end - back, end - until) of each moment."""
        return Window(self, self._of, self._at - back, back - until)


def segment_of(end: Ints) -> Ints:
    """The segment that holds the last bucket before `end`."""
    return (end - 1) // SEGMENT


class Window:
    """`length` buckets of each moment's segment from place `start` on."""

    def __init__(self, segments: Segments, of: Ints, start: Ints, length: int) -> None:
        self.of, self.start, self.length = of, start, length
        # Running sums have a zero in front of each segment.
        self._low = of * (segments.width + 1) + start
        self._high = self._low + length

    def sum(self, running: Floats) -> Floats:
        difference: Floats = running[self._high] - running[self._low]
        return difference


def running(grid: Floats) -> Floats:
    """The running sums of each segment, one behind the other, a zero in front of each."""
    sums = np.zeros((grid.shape[0], grid.shape[1] + 1))
    np.cumsum(grid, axis=1, out=sums[:, 1:])
    return sums.ravel()


class Times:
    """Running sums of 1, t and t² over the known places [segments, width]; t counts the places of a segment."""

    def __init__(self, known: npt.NDArray[np.bool_]) -> None:
        self.known = known
        self.t = np.arange(known.shape[1], dtype=float)
        self._running: dict[int, Floats] = {}
        self._over: dict[tuple[int, int], Floats] = {}

    def over(self, window: Window, power: int) -> Floats:
        """Σ t^power of the known places in each window."""
        if power not in self._running:
            self._running[power] = running(self.known * self.t**power)
        key = (id(window), power)
        if key not in self._over:
            self._over[key] = window.sum(self._running[power])
        return self._over[key]


class Sums:
    """Running sums of one channel [segments, width]: of its values x, x² and x t where x is known."""

    def __init__(self, grid: Floats, leading: Floats, mostly: Times) -> None:
        """`mostly`: the times that most channels share, so that their sums are made once."""
        known = np.isfinite(grid)
        self._times = mostly if np.array_equal(known, mostly.known) else Times(known)
        self._origin = _origin(grid, known, leading) if grid.size else np.zeros(len(grid))
        x = np.where(known, grid - self._origin[:, None], 0.0)
        far = np.abs(x) > FAR
        self._parts = [np.where(far, 0.0, x), np.where(far, x.clip(-FARTHEST, FARTHEST), 0.0)] if far.any() else [x]
        self._running: dict[str, list[Floats]] = {}
        self._cache: dict[tuple[int, str], Floats] = {}

    def _over(self, window: Window, name: str) -> Floats:
        key = (id(window), name)
        if key not in self._cache:
            if name not in self._running:
                self._running[name] = [running(self._product(x, name)) for x in self._parts]
            self._cache[key] = reduce(np.add, map(window.sum, self._running[name]))
        return self._cache[key]

    def _product(self, x: Floats, name: str) -> Floats:
        return x if name == "x" else x * {"xx": x, "xt": self._times.t}[name]

    def mean(self, window: Window) -> Floats:
        n = self._times.over(window, 0)
        return np.where(n > 0, self._origin[window.of] + self._over(window, "x") / n, np.nan)

    def deviation(self, window: Window) -> Floats:
        """Of a sample, over n - 1."""
        n, x = self._times.over(window, 0), self._over(window, "x")
        squares = self._over(window, "xx") - x * x / n
        return np.where(n > 1, np.sqrt(squares.clip(0) / (n - 1)), np.nan)

    def slope(self, window: Window) -> Floats:
        """Of the least-squares line, per bucket: (n Σxt - Σx Σt) / (n Σt² - (Σt)²)."""
        n, t = (self._times.over(window, power) for power in (0, 1))
        across = n * self._over(window, "xt") - self._over(window, "x") * t
        return np.where(n > 1, across / (n * self._times.over(window, 2) - t * t), np.nan)


def _origin(grid: Floats, known: npt.NDArray[np.bool_], leading: Floats) -> Floats:
    """[segments] a value that no later row can change."""
    each = np.arange(len(grid))
    told = np.isfinite(leading).sum(axis=1)
    middle = np.sort(leading, axis=1)[each, (told - 1).clip(0) // 2]
    return np.asarray(np.where(told > 0, middle, grid[each, known.argmax(axis=1)]))


class Extremes:
    """Minima of any window by a sparse table: level k holds the minimum of 2^k places from each place on."""

    def __init__(self, grid: Floats) -> None:
        self._levels = [np.where(np.isfinite(grid), grid, np.inf)]

    def _level(self, k: int) -> Floats:
        while len(self._levels) <= k:
            below, step = self._levels[-1], 1 << (len(self._levels) - 1)
            level = below.copy()
            np.minimum(below[:, :-step], below[:, step:], out=level[:, : below.shape[1] - step])
            self._levels.append(level)
        return self._levels[k]

    def min(self, window: Window) -> Floats:
        k = window.length.bit_length() - 1
        level = self._level(k)
        second = window.start + window.length - (1 << k)
        lowest = np.minimum(level[window.of, window.start], level[window.of, second])
        return np.where(np.isfinite(lowest), lowest, np.nan)


def last_known(grid: Floats, window: Window) -> Floats:
    """The latest known value in the window."""
    places = np.maximum.accumulate(np.where(np.isfinite(grid), np.arange(grid.shape[1]), -1), axis=1)
    place = places[window.of, window.start + window.length - 1]
    return np.where(place >= window.start, grid[window.of, place], np.nan)


def share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Floats:
    """part / whole, unknown where whole is zero."""
    quotient: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=np.abs(whole) > 0)
    return quotient
