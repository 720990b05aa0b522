"""What a machine costs an hour once it was serviced: the rate that waiting is weighed against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from app.risk.curve import Curve

# Fewer failures and services than this say little about a rate; then the model's ordinary machine stands in.
FEWEST_EVENTS = 5
# A serviced motor lasts longer than a year; without this a small fleet of worn machines would count as ordinary.
MOST_FAILURES_PER_HOUR = 1 / 8766


@dataclass(frozen=True)
class Lived:
    """What the fleet went through: failures and planned services in so many machine-hours."""

    failures: int
    services: int
    machine_hours: float


@dataclass(frozen=True)
class Rates:
    """Failures and planned services per machine-hour."""

    failures: float
    services: float

    def cost_per_hour(self, preventive_cost: float, failure_cost: float) -> float:
        return self.failures * failure_cost + self.services * preventive_cost


def renewed_rates(lived: Lived, curves: Sequence[Curve]) -> Rates:
    """The fleet as it was run, or the median hazard of today's curves, within reason, where too little happened.

    As run bounds the best policy's cost rate from above, so work is put off a little rather than done too early.
    """
    if lived.failures + lived.services >= FEWEST_EVENTS and lived.machine_hours > 0:
        return Rates(lived.failures / lived.machine_hours, lived.services / lived.machine_hours)
    hazards = [curve.cumulative_hazards[-1] / curve.longest_hours for curve in curves]
    return Rates(min(median(hazards), MOST_FAILURES_PER_HOUR) if hazards else 0.0, 0.0)
