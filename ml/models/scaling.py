"""Robust scaling for the models that need it: median and quartiles, clipped; unknown is the middle, and is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ml.models.columns import Matrix

# Beyond this many deviations a value is only "very far": one broken sensor must not shout down the rest.
FARTHEST = 6.0
IQR_PER_DEVIATION = 1.349

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """`told` are columns whose absence is an input of its own: one for each pattern of gaps seen in learning."""

    middle: Vector = field(default_factory=lambda: np.zeros(0))
    width: Vector = field(default_factory=lambda: np.ones(0))
    told: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def learn(cls, values: Matrix) -> Self:
        low, middle, high, deviation = _spread(values.astype(np.float64))
        width = (high - low) / IQR_PER_DEVIATION
        width = np.where(width > 1e-9 * (1 + np.abs(middle)), width, deviation)
        width = np.where(width > 1e-9 * (1 + np.abs(middle)), width, 1.0)
        return cls(middle, width, _gap_patterns(np.isnan(values)))

    def apply(self, values: Matrix) -> Matrix:
        scaled = np.clip((values - self.middle) / self.width, -FARTHEST, FARTHEST)
        gaps = np.isnan(values[:, self.told])
        return np.concatenate([np.nan_to_num(scaled, nan=0.0), gaps], axis=1).astype(np.float32)

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        return {f"{prefix}_{name}": getattr(self, name) for name in ("middle", "width", "told")}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], prefix: str) -> Self:
        return cls(*(arrays[f"{prefix}_{name}"] for name in ("middle", "width", "told")))


def _spread(values: npt.NDArray[np.float64]) -> tuple[Vector, Vector, Vector, Vector]:
    """Quartiles and deviation of each column without its gaps; an empty column is 0 wide around 0."""
    known = ~np.isnan(values)
    filled = np.where(known.any(axis=0), values, 0.0)
    low, middle, high = np.nanquantile(filled, [0.25, 0.5, 0.75], axis=0) if len(values) else np.zeros((3, 0))
    return low, middle, high, np.asarray(np.nanstd(filled, axis=0))


def _gap_patterns(gaps: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The first column of each pattern of gaps that is neither never nor always there."""
    some = np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0))
    if not len(some):
        return np.zeros(0, np.int64)
    packed = np.packbits(gaps[:, some], axis=0)
    _, first = np.unique(packed, axis=1, return_index=True)
    return np.asarray(np.sort(some[first]), np.int64)
