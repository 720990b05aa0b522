"""Platt scaling of each interval's hazard, learnt from predictions of models that had not seen the machine.

log-odds of the calibrated total = exp(s_k) x log-odds + b_k (Platt 1999). The slope is positive, so order within
an interval stays; modes keep their shares; the curve over horizons stays monotone because hazards are scaled, not
risks. s and b are drawn to values common to all intervals, and these to 0, with strengths counted in distinct
failures: a few failures seen at a hundred moments each are still few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from ml.models.base import Floats, Outcomes
from ml.models.odds import from_log_odds, log_odds, with_total

# Standard deviations of the priors: of the common slope (log) and shift, and of an interval's from the common.
COMMON_SLOPE, COMMON_SHIFT = 0.7, 1.5
OWN_SLOPE, OWN_SHIFT = 0.5, 1.0


@dataclass(frozen=True)
class Calibration:
    """[K] slopes > 0 and shifts of the log-odds."""

    slopes: Floats
    shifts: Floats

    @classmethod
    def identity(cls, intervals: int) -> Calibration:
        return cls(np.ones(intervals), np.zeros(intervals))

    def apply(self, hazards: Floats) -> Floats:
        """[..., n, K, M] -> the same, calibrated."""
        flat = hazards.reshape(-1, *hazards.shape[-2:])
        total = from_log_odds(self.slopes * log_odds(flat.sum(axis=2)) + self.shifts)
        return with_total(flat, total).reshape(hazards.shape)

    def to_json(self) -> dict[str, Any]:
        return {"slopes": self.slopes.tolist(), "shifts": self.shifts.tolist()}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Calibration:
        return cls(np.array(said["slopes"], float), np.array(said["shifts"], float))


@dataclass(frozen=True)
class _Interval:
    scores: Floats
    failed: Floats
    weight: Floats


def learn_calibration(hazards: Floats, outcomes: Outcomes) -> Calibration:
    """From out-of-fold hazards [n, K, M] of the rows in `outcomes`."""
    own = _each(hazards, outcomes)
    return Calibration(np.exp([at[0] for at, _ in own]), np.array([at[1] for at, _ in own]))


def unlikelihoods(hazards: Floats, outcomes: Outcomes) -> Floats:
    """[K] -log of the posterior of what became of the rows in each interval, the hazards calibrated."""
    return np.array([cost for _, cost in _each(hazards, outcomes)])


def _each(hazards: Floats, outcomes: Outcomes) -> list[tuple[Floats, float]]:
    """Of each interval (log slope, shift) and its cost; nothing is moved where nothing failed."""
    cases = [_interval(hazards, outcomes, k) for k in range(len(outcomes.horizons_hours))]
    if not any(case.failed.any() for case in cases):
        return [(np.zeros(2), 0.0)] * len(cases)
    common, _ = _fit(cases, np.zeros(2), np.array([COMMON_SLOPE, COMMON_SHIFT]))
    return [_fit([case], common, np.array([OWN_SLOPE, OWN_SHIFT])) for case in cases]


def _interval(hazards: Floats, outcomes: Outcomes, k: int) -> _Interval:
    """The rows at risk in interval k; those of failures together weigh as many as there are distinct ones."""
    rows, weight = outcomes.at_risk(k)
    failed = (outcomes.interval[rows] == k).astype(float)
    distinct = len(np.unique(outcomes.failure[rows][failed == 1]))
    weight = weight * (distinct / max(float((weight * failed).sum()), 1e-12))
    return _Interval(log_odds(hazards[rows, k].sum(axis=1)), failed, weight)


def _fit(
    cases: list[_Interval], prior: npt.NDArray[np.float64], spread: npt.NDArray[np.float64]
) -> tuple[Floats, float]:
    """(posterior mode of (log slope, shift), -log of the posterior there)."""
    scores, failed, weight = (
        np.concatenate([getattr(case, name) for case in cases]) for name in ("scores", "failed", "weight")
    )

    def loss(at: Floats) -> tuple[float, Floats]:
        slope = np.exp(at[0])
        z = slope * scores + at[1]
        away = (at - prior) / spread
        value = float((weight * (np.logaddexp(0, z) - failed * z)).sum() + 0.5 * (away**2).sum())
        error = weight * (from_log_odds(z) - failed)
        return value, np.array([(error * scores).sum() * slope, error.sum()]) + away / spread

    bounds = [(-2.0, 2.0), (-8.0, 8.0)]
    best = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(best.x), float(best.fun)
