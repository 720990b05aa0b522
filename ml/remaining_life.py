"""How long a machine still has, read off its risk curve; beyond the longest horizon the curve says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.models.base import Floats, cumulative_risk

# An interval that holds four of five lives: shares of failures before its ends.
LOW, MEDIAN, HIGH = 0.1, 0.5, 0.9

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RemainingLife:
    """[n] hours each. Quantiles are capped at the longest horizon; `beyond_*` says where that happened.

    mean_hours is the restricted mean E[min(T, longest horizon)], the integral of the survival curve (Irwin 1949).
    """

    low_hours: Floats
    median_hours: Floats
    high_hours: Floats
    mean_hours: Floats
    beyond_low: Flags
    beyond_median: Flags
    beyond_high: Flags


def remaining_life(hazards: Floats, horizons_hours: tuple[float, ...]) -> RemainingLife:
    """From hazards [n, K, M]. A single number for planning is `mean_hours`: see docs/decisions."""
    risk = np.concatenate([np.zeros((len(hazards), 1)), cumulative_risk(hazards)], axis=1)
    hours = np.concatenate([[0.0], np.asarray(horizons_hours)])
    low, median, high = (_reaches(risk, hours, share) for share in (LOW, MEDIAN, HIGH))
    survival = 1 - risk
    mean = ((survival[:, 1:] + survival[:, :-1]) / 2 * np.diff(hours)).sum(axis=1)
    beyond = [risk[:, -1] < share for share in (LOW, MEDIAN, HIGH)]
    return RemainingLife(low, median, high, mean, *beyond)


def _reaches(risk: Floats, hours: Floats, share: float) -> Floats:
    """[n] when each rising curve reaches `share`, straight between horizons; the longest where it never does."""
    after = np.clip((risk < share).sum(axis=1), 1, len(hours) - 1)
    rows = np.arange(len(risk))
    low, high = risk[rows, after - 1], risk[rows, after]
    part = np.clip((share - low) / np.maximum(high - low, 1e-12), 0, 1)
    return np.asarray(hours[after - 1] + part * (hours[after] - hours[after - 1]))
