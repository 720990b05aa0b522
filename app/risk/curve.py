"""The risk curve of one machine: probability of failing before any time up to the longest horizon, and back.

Between two horizons the hazard is taken as constant, so log S is linear there (the piecewise exponential model;
Friedman 1982, "Piecewise exponential models for survival data with covariates", Annals of Statistics 10):
S(h) = S(a)^(1 - w) * S(b)^w with w = (h - a) / (b - a), S(0) = 1 and P(fail before h) = 1 - S(h).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from app.duration import duration_text
from app.errors import BadInput

# A probability of exactly 1 has no logarithm; a model that says so is believed up to one in a thousand million.
NEARLY_CERTAIN = 1 - 1e-9
# Products of floats may fall by a rounding error where the mathematics stays level.
ROUNDING = 1e-9


def fault(horizons_hours: Sequence[float], probabilities: Sequence[float]) -> str | None:
    """Why these numbers are no risk curve, or None."""
    if not horizons_hours or len(horizons_hours) != len(probabilities):
        return "there is not one probability per horizon"
    if not all(math.isfinite(hours) and hours > 0 for hours in horizons_hours):
        return "a horizon is not a positive number"
    if any(later <= earlier for earlier, later in pairwise(horizons_hours)):
        return "the horizons do not rise"
    if not all(-ROUNDING <= probability <= 1 + ROUNDING for probability in probabilities):
        return "a probability lies outside 0 to 1"
    if any(later < earlier - ROUNDING for earlier, later in pairwise(probabilities)):
        return "the probability falls with the horizon"
    return None


@dataclass(frozen=True)
class Curve:
    """P(fail before h) at rising horizons h. Build it with `make_curve`, which checks."""

    horizons_hours: tuple[float, ...]
    cumulative_hazards: tuple[float, ...]

    @property
    def longest_hours(self) -> float:
        return self.horizons_hours[-1]

    def cumulative_hazard(self, hours: float) -> float:
        """-log S(hours). Raises BadInput beyond the longest horizon: the model has not looked there."""
        if not 0 <= hours <= self.longest_hours:
            raise BadInput(f"{hours_text(hours)} is outside what the model looks at: {self.range_text()}.")
        k = bisect_left(self.horizons_hours, hours)
        start, low = (self.horizons_hours[k - 1], self.cumulative_hazards[k - 1]) if k else (0.0, 0.0)
        share = (hours - start) / (self.horizons_hours[k] - start)
        return low * (1 - share) + self.cumulative_hazards[k] * share

    def probability(self, hours: float) -> float:
        return -math.expm1(-self.cumulative_hazard(hours))

    def hours_at(self, probability: float) -> float | None:
        """The first time at which the risk reaches `probability`; None if not within the longest horizon."""
        wanted = -math.log1p(-min(max(probability, 0.0), NEARLY_CERTAIN))
        k = bisect_left(self.cumulative_hazards, wanted)
        if wanted <= 0 or k == len(self.cumulative_hazards):
            return 0.0 if wanted <= 0 else None
        start, low = (self.horizons_hours[k - 1], self.cumulative_hazards[k - 1]) if k else (0.0, 0.0)
        end, high = self.horizons_hours[k], self.cumulative_hazards[k]
        return min(start + (end - start) * (wanted - low) / (high - low), end)

    def expected_hours(self, hours: float) -> float:
        """E[min(T, hours)]: the integral of S, exact for a constant hazard between horizons."""
        ends = [0.0, *(end for end in self.horizons_hours if end < hours), hours]
        return sum(self._expected_between(start, end) for start, end in pairwise(ends))

    def _expected_between(self, start: float, end: float) -> float:
        low, high = self.cumulative_hazard(start), self.cumulative_hazard(end)
        rise = high - low
        mean_survival = -math.expm1(-rise) / rise if rise > ROUNDING else 1 - rise / 2
        return (end - start) * math.exp(-low) * mean_survival

    def range_text(self) -> str:
        return f"up to {hours_text(self.longest_hours)}"


def make_curve(horizons_hours: Sequence[float], probabilities: Sequence[float]) -> Curve:
    """A curve from what a model said. Raises BadInput where `fault` finds one."""
    wrong = fault(horizons_hours, probabilities)
    if wrong is not None:
        raise BadInput(f"This is not a risk curve: {wrong}.")
    hazards: list[float] = []
    for probability in probabilities:
        hazard = -math.log1p(-min(max(probability, 0.0), NEARLY_CERTAIN))
        hazards.append(max(hazard, hazards[-1] if hazards else 0.0))
    return Curve(tuple(horizons_hours), tuple(hazards))


def hours_text(hours: float) -> str:
    """168.0 -> `7d`."""
    if not 0 < hours < timedelta.max.total_seconds() / 3600:
        return f"{hours:g}h"
    return duration_text(timedelta(hours=hours))
