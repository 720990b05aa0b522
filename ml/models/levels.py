"""Each column in at most so many levels, found once for many learners that would each look for their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ml.models.columns import Matrix

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
        """At most `count` levels, as fine among the rare rows as among the others."""
        parts = [values[rows] for rows in (rare, ~rare) if rows.any()]
        bounds = [_quantiles(part, (count - 1) // len(parts)) for part in parts]
        return cls(_distinct(np.concatenate(bounds or [np.zeros((0, values.shape[1]), np.float32)]).T))

    def apply(self, values: Matrix) -> npt.NDArray[np.float64]:
        """[n, columns] the level of each value; NaN stays."""
        levels = np.empty(values.shape)
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


def _quantiles(values: Matrix, count: int) -> Matrix:
    """[count, columns] half-way between neighbours of the distinct values: few of them are all told apart."""
    ranked = np.sort(values, axis=0)
    ranked[1:][ranked[1:] == ranked[:-1]] = np.nan
    ranked, known = np.sort(ranked, axis=0), np.isfinite(ranked).sum(axis=0)
    above = (np.arange(1, count + 1)[:, None] * known / (count + 1)).astype(np.int64).clip(1)
    low, high = (np.take_along_axis(ranked, each.clip(0, len(ranked) - 1), axis=0) for each in (above - 1, above))
    return np.asarray(low / 2 + high / 2, np.float32)


def _rises(bounds: Matrix) -> bool:
    return bool((bounds[:, 1:] >= bounds[:, :-1]).all() and not np.isnan(bounds).any())


def _distinct(bounds: Matrix) -> Matrix:
    """[columns, bounds] sorted, each once; what is no number is infinite."""
    ranked = np.sort(np.where(np.isfinite(bounds), bounds, np.float32(np.inf)), axis=1)
    ranked[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = np.inf
    return np.sort(ranked, axis=1)
