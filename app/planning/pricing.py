"""What a service of each job would cost in each window, and what leaving it out would.

A machine that was just renewed costs g an hour in the long run (renewed_life). Until H, the end of the plan, with
T the life left, F(s) = P(T < s) and S = 1 - F:

    service at s:  Cf F(s) + S(s) (Cp + loss) + g (E[min(T, H)] - E[min(T, s)])
    left out:      Cf F(H) + S(H) min(max(Cf - g R, 0), Cp)

Failures before the slot, the service, production lost in it, and life thrown away: the hours that the machine would
have gone on living, each worth g. A machine left out keeps its risk until H and then owes what it is worse than a
renewed one: it is serviced (Cp), or run to failure (Cf) after R more hours that a renewed machine would have cost g
each; never less than nothing. These are the relative values of the renewal-reward process at average cost g (Barlow
and Proschan 1965, "Mathematical Theory of Reliability"; Puterman 1994, "Markov Decision Processes", chapter 8),
cut off at H and shifted by what no choice changes, so that all four terms are sums of money to be paid.

Beyond the longest horizon, and for R, the hazard is the mean of the later half: calibrated curves have level
stretches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from app.planning.choices import Floats, Ints
from app.planning.machine_costs import HIGHEST_COST, MachineCosts
from app.planning.problem import Job, Problem, Window
from app.risk.curve import ROUNDING, Curve

CENTS = 100
HOUR = timedelta(hours=1)
# A machine that never fails would live for ever; sums stay finite.
LONGEST_LIFE_HOURS = 1e6


@dataclass(frozen=True)
class Prices:
    """By job and window: risk until its start and cents; by job: the same when left out."""

    risk: Floats
    service: Ints
    left_risk: Floats
    left: Ints


class Ahead:
    """The life left of a machine that lives at `aged` hours on its curve."""

    def __init__(self, curve: Curve, aged: float) -> None:
        self._hours = np.array((0.0, *curve.horizons_hours))
        self._hazards = np.array((0.0, *curve.cumulative_hazards))
        self._aged = aged
        half = curve.longest_hours / 2
        self._rate = (self._hazards[-1] - np.interp(half, self._hours, self._hazards)) / half
        self._until_now = self._since_start(np.array([aged]))[0]

    def _since_start(self, hours: Floats) -> Floats:
        beyond = np.maximum(hours - self._hours[-1], 0.0)
        found: Floats = np.interp(hours, self._hours, self._hazards) + self._rate * beyond
        return found

    def hazard(self, hours: Floats) -> Floats:
        """Cumulated from now on."""
        found: Floats = self._since_start(hours + self._aged) - self._until_now
        return found

    def life_after(self, until: float) -> float:
        """E[T - until | T > until], at the hazard of the later half of the time until then."""
        half, end = self.hazard(np.array([until / 2, until]))
        rate = (end - half) / (until / 2) if until > 0 else self._rate
        return float(1 / max(rate, 1 / LONGEST_LIFE_HOURS))

    def mean_life(self, hours: Floats) -> Floats:
        """E[min(T, hours)]: the integral of S, exact for a constant hazard between the points."""
        points = np.unique(np.concatenate((np.zeros(1), self._hours - self._aged, hours)))
        points = points[points >= 0]
        cumulative = self.hazard(points)
        rise = np.diff(cumulative)
        safe = np.maximum(rise, ROUNDING)
        mean = np.where(rise > ROUNDING, -np.expm1(-safe) / safe, 1 - rise / 2)
        areas = np.diff(points) * np.exp(-cumulative[:-1]) * mean
        lived: Floats = np.concatenate((np.zeros(1), np.cumsum(areas)))
        return lived[np.searchsorted(points, hours)]


@dataclass(frozen=True)
class Slots:
    """The plan's time in hours from now, and the share of production that each window costs."""

    starts: Floats
    until: float
    loss_shares: Floats


def prices(problem: Problem, windows: Sequence[Window]) -> Prices:
    """Of all jobs; without a curve all is nothing."""
    slots = _slots(problem, windows)
    shape = len(problem.jobs), len(windows)
    risk, service = np.zeros(shape), np.zeros(shape)
    left_risk, left = np.zeros(shape[0]), np.zeros(shape[0])
    for row, job in enumerate(problem.jobs):
        if job.curve is not None:
            aged = max((problem.now - job.curve_from) / HOUR, 0.0)
            ahead = Ahead(job.curve, aged)
            risk[row], service[row] = _serviced(job, ahead, slots)
            left_risk[row], left[row] = _left(job.costs, ahead, slots.until)
    return Prices(risk, in_cents(service), left_risk, in_cents(left))


def in_cents(amounts: Floats) -> Ints:
    cents: Ints = np.rint(np.minimum(amounts, HIGHEST_COST) * CENTS).astype(np.int64)
    return cents


def _slots(problem: Problem, windows: Sequence[Window]) -> Slots:
    starts = np.array([max((each.span.start - problem.now) / HOUR, 0.0) for each in windows])
    until = max((problem.until - problem.now) / HOUR, 0.0)
    return Slots(starts, until, np.array([each.loss_share for each in windows]))


def _serviced(job: Job, ahead: Ahead, slots: Slots) -> tuple[Floats, Floats]:
    """(risk until its start, cost) of each window."""
    costs, survival = job.costs, np.exp(-ahead.hazard(slots.starts))
    loss = costs.downtime_per_hour * job.minutes / 60 * slots.loss_shares
    lived = ahead.mean_life(np.append(slots.starts, slots.until))
    thrown_away = costs.renewed_per_hour * np.maximum(lived[-1] - lived[:-1], 0)
    failing = costs.whole_failure * (1 - survival)
    return 1 - survival, failing + survival * (costs.preventive + loss) + thrown_away


def _left(costs: MachineCosts, ahead: Ahead, until: float) -> tuple[float, float]:
    """(risk until the plan's end, cost)."""
    survival = float(np.exp(-ahead.hazard(np.array([until]))[0]))
    owed = min(max(costs.whole_failure - costs.renewed_per_hour * ahead.life_after(until), 0.0), costs.preventive)
    return 1 - survival, costs.whole_failure * (1 - survival) + survival * owed
