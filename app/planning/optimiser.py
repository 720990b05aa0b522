"""When to service one machine at the latest: the pure rule between its risk curve and the plan.

A planned service costs Cp, a failure Cf, and a machine that was just renewed costs g an hour in the long run.
While the machine lives, an hour of waiting costs h(u) (Cf - Cp) and saves g, because the renewed life begins an
hour later. So the best moment is the first at which h(u) (Cf - Cp) > g, the control limit of Makis and Jardine
(1992), "Optimal replacement in the proportional hazards model", INFOR 30, of which age replacement (Barlow and
Proschan 1965) is the special case. Minimising the ratio (Cp S + Cf F) / E[min(T, t)] over the remaining curve would
assume that the machine is as worn after the service as it is now, and so put off the most urgent work.

The latest sensible date leaves room to bundle jobs: it is the last moment before the expected extra loss
K H(u) - g u, counted from its lowest point so far, exceeds a tolerated share of Cp (K = Cf - Cp, H = -log S).
The expected cost over the longest horizon L, with a service at t, is
C(t) = Cp S(t) + Cf F(t) + g (L - E[min(T, t)]).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from app.planning.words import Words
from app.risk.curve import Curve

# Half a service: planners get days for a warning and hours for an alarm, at a price that bundling jobs is worth.
TOLERATED_SHARE = 0.5
# What ignoring the plan means in its reasons: one more weekly meeting goes by.
WAIT = timedelta(days=7)
# More than any machine costs; keeps sums finite whatever is typed.
HIGHEST_COST = 1e12
# Dates are as coarse as the model's view: days for weeks, hours for days, minutes for hours.
STEPS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
STEPS_IN_VIEW = 3


@dataclass(frozen=True)
class Costs:
    """Of one machine. `renewed_per_hour` is g; the defaults are said in the reason."""

    preventive: float
    failure: float
    renewed_per_hour: float
    preventive_is_default: bool = False
    failure_is_default: bool = False

    def bounded(self) -> Costs:
        return Costs(
            min(self.preventive, HIGHEST_COST),
            min(self.failure, HIGHEST_COST),
            min(self.renewed_per_hour, HIGHEST_COST),
            self.preventive_is_default,
            self.failure_is_default,
        )


@dataclass(frozen=True)
class Threshold:
    """A machine is planned from one of these on: soon, or anywhere within the longest horizon."""

    soon_hours: float
    soon: float
    within_longest: float

    def reached(self, curve: Curve) -> bool:
        soon = curve.probability(min(self.soon_hours, curve.longest_hours))
        return soon >= self.soon or curve.probability(curve.longest_hours) >= self.within_longest


@dataclass(frozen=True)
class Proposal:
    """`service_by` None: left out. `cost_now` is expected when followed, `cost_if_waiting` when not."""

    service_by: datetime | None
    probability_by_then: float
    cost_now: float
    cost_if_waiting: float
    reason: str


def propose(
    curve: Curve, costs: Costs, threshold: Threshold, as_of: datetime, earliest: datetime, currency: str
) -> Proposal:
    """The latest sensible service of one machine, or why none. The curve starts at `as_of`; nothing is proposed
    before `earliest` nor after the longest horizon."""
    costs, words = costs.bounded(), Words(currency, _step(curve))
    latest_hours = latest_sensible_hours(curve, costs)
    # A date so late that the week after it is out of sight can be proposed, and priced, when it is nearer.
    if latest_hours is not None and latest_hours > curve.longest_hours - _wait_hours(curve):
        latest_hours = None
    if latest_hours is None or not threshold.reached(curve):
        return _left_out(curve, costs, threshold, words, economic=latest_hours is None)
    end = as_of + timedelta(hours=curve.longest_hours)
    service_by = min(max(_floor(as_of + timedelta(hours=latest_hours), words.step), earliest, as_of), end)
    return _planned(curve, costs, words, as_of, service_by, earliest)


def latest_sensible_hours(curve: Curve, costs: Costs) -> float | None:
    """First time at which waiting has lost more than tolerated; None if not within the longest horizon."""
    at_stake, tolerated = costs.failure - costs.preventive, TOLERATED_SHARE * costs.preventive
    if at_stake <= 0:
        return None
    lost = lowest = 0.0
    for (start, low), (end, high) in pairwise(
        zip((0.0, *curve.horizons_hours), (0.0, *curve.cumulative_hazards), strict=True)
    ):
        loss_per_hour = at_stake * (high - low) / (end - start) - costs.renewed_per_hour
        if loss_per_hour > 0:
            hours = start + (lowest + tolerated - lost) / loss_per_hour
            if hours < end:
                return max(hours, start)
        lost += loss_per_hour * (end - start)
        lowest = min(lowest, lost)
    return None


def expected_cost(curve: Curve, costs: Costs, hours: float) -> float:
    """C(hours), over the longest horizon."""
    failed = curve.probability(hours)
    renewed_hours = curve.longest_hours - curve.expected_hours(hours)
    return costs.preventive * (1 - failed) + costs.failure * failed + costs.renewed_per_hour * renewed_hours


def _planned(
    curve: Curve, costs: Costs, words: Words, as_of: datetime, service_by: datetime, earliest: datetime
) -> Proposal:
    hours = _hours_between(as_of, service_by, curve)
    later_hours = min(hours + _wait_hours(curve), curve.longest_hours)
    later = as_of + timedelta(hours=later_hours)
    now, waiting = (expected_cost(curve, costs, each) for each in (hours, later_hours))
    risk, risk_later = curve.probability(hours), curve.probability(later_hours)
    at_once = service_by <= earliest
    reason = words.planned(service_by, later, risk, risk_later, waiting - now, costs, at_once=at_once)
    return Proposal(service_by, risk, now, waiting, reason)


def _left_out(curve: Curve, costs: Costs, threshold: Threshold, words: Words, *, economic: bool) -> Proposal:
    now, waiting = expected_cost(curve, costs, 0.0), expected_cost(curve, costs, curve.longest_hours)
    risk = curve.probability(curve.longest_hours)
    soon_hours = min(threshold.soon_hours, curve.longest_hours)
    soon = curve.probability(soon_hours)
    reason = words.left_out(
        (soon_hours, soon), (curve.longest_hours, risk), now - waiting, costs, economic=economic
    )
    return Proposal(None, risk, now, waiting, reason)


def _wait_hours(curve: Curve) -> float:
    return min(WAIT / timedelta(hours=1), curve.longest_hours / 2)


def _step(curve: Curve) -> timedelta:
    view = timedelta(hours=curve.longest_hours)
    return next((step for step in STEPS if step * STEPS_IN_VIEW <= view), STEPS[-1])


def _floor(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _hours_between(as_of: datetime, moment: datetime, curve: Curve) -> float:
    return min(max((moment - as_of) / timedelta(hours=1), 0.0), curve.longest_hours)
