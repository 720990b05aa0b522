"""Each column in at most so many levels, found once for many learners that would each look for their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ml.models.columns import Matrix

# The values of a few dozen failures need no finer ones; trees on so few grow three to four times as fast.
LEVELS = 63

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Levels:
    """`bounds` [columns, levels - 1] rise, +inf where a column needs fewer; levels count those below."""

    bounds: npt.NDArray[np.float32]

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros((0, 0), np.float32))

    @classmethod
    def learn(cls, values: Matrix, rare: Flags, count: int) -> Self:
        """At most `count` levels, as many of them for the rare rows as for the others.

        Half of these are alike in rows; the other half in distinct values, for columns that are mostly one value.
        """
        parts = [np.sort(values[rows], axis=0) for rows in (rare, ~rare) if rows.any()]
        each = (count - 1) // max(len(parts), 1)
        bounds = [
            _between(ranked, many)
            for part in parts
            for ranked, many in ((part, each - each // 2), (_each_once(part), each // 2))
        ]
        return cls(_distinct(np.concatenate(bounds or [np.zeros((0, values.shape[1]), np.float32)]).T))

    def apply(self, values: Matrix) -> Matrix:
        """[n, columns] the level of each value; NaN stays."""
        levels = np.empty(values.shape, np.float32)
        for column, bounds in enumerate(self.bounds):
            levels[:, column] = np.searchsorted(bounds, values[:, column])
        levels[np.isnan(values)] = np.nan
        return levels

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"bounds": self.bounds}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], columns: int) -> Self:
        bounds = arrays["bounds"]
        if bounds.dtype != np.float32 or bounds.ndim != 2 or len(bounds) != columns or not _rises(bounds):
            raise ValueError("The levels of the columns are not those of this model.")
        return cls(bounds)


def _each_once(ranked: Matrix) -> Matrix:
    """Sorted columns without their repeated values, padded with NaN."""
    once = ranked.copy()
    once[1:][ranked[1:] == ranked[:-1]] = np.nan
    return np.asarray(np.sort(once, axis=0))


def _between(ranked: Matrix, count: int) -> Matrix:
    """[count, columns] half-way between neighbours at even steps through the known values of sorted columns."""
    known = np.isfinite(ranked).sum(axis=0)
    above = (np.arange(1, count + 1)[:, None] * known / (count + 1)).astype(np.int64).clip(1)
    low, high = (np.take_along_axis(ranked, each.clip(0, len(ranked) - 1), axis=0) for each in (above - 1, above))
    middle = low / 2 + high / 2
    # Between neighbours in 24 bits there is nothing: the bound is the lower one, which is not above itself.
    return np.asarray(np.where(middle < high, middle, low), np.float32)


def _rises(bounds: Matrix) -> bool:
    return bool((bounds[:, 1:] >= bounds[:, :-1]).all() and not np.isnan(bounds).any())


def _distinct(bounds: Matrix) -> Matrix:
    """[columns, bounds] sorted, each once; what is no number is infinite."""
    ranked = np.sort(np.where(np.isfinite(bounds), bounds, np.float32(np.inf)), axis=1)
    ranked[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = np.inf
    return np.sort(ranked, axis=1)
