"""What a machine costs; what stands in for figures that nobody gave is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.planning.renewed_life import Rates

CLASS, RECORDED, DEFAULT = "its class's", "recorded", "default"
# More than any machine costs; keeps sums finite whatever is typed.
HIGHEST_COST = 1e12
# A year; more than any repair takes, and keeps sums finite.
MOST_HOURS = 8766.0


@dataclass(frozen=True)
class Given:
    """As typed in, for a machine, a class or the plant; None, negative or not finite: nobody said."""

    preventive: float | None = None
    failure: float | None = None
    downtime_per_hour: float | None = None
    repair_hours: float | None = None


@dataclass(frozen=True)
class MachineCosts:
    """`preventive` and `failure` are without lost production. A failure stops production for `repair_hours`.

    `renewed_per_hour` is what a serviced machine costs in the long run; `whence` says what was not its own.
    """

    preventive: float
    failure: float
    downtime_per_hour: float
    repair_hours: float
    renewed_per_hour: float
    whence: Mapping[str, str]

    @property
    def whole_failure(self) -> float:
        return min(self.failure + self.downtime_per_hour * self.repair_hours, HIGHEST_COST)


def machine_costs(own: Given, of_class: Given, recorded: Given, of_plant: Given, rates: Rates) -> MachineCosts:
    """The machine's own figure, else its class's, else what past failures took, else the plant's, else nothing."""
    whence: dict[str, str] = {}

    def figure(name: str, most: float = HIGHEST_COST) -> float:
        for given, said in ((own, ""), (of_class, CLASS), (recorded, RECORDED), (of_plant, DEFAULT)):
            value = getattr(given, name)
            if value is not None and math.isfinite(value) and value >= 0:
                if said:
                    whence[name] = said
                return min(float(value), most)
        whence[name] = DEFAULT
        return 0.0

    preventive, failure = figure("preventive"), figure("failure")
    per_hour, hours = figure("downtime_per_hour"), figure("repair_hours", MOST_HOURS)
    known = MachineCosts(preventive, failure, per_hour, hours, 0.0, whence)
    renewed = min(rates.cost_per_hour(preventive, known.whole_failure), HIGHEST_COST)
    return MachineCosts(preventive, failure, per_hour, hours, renewed, whence)
