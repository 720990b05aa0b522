"""What the judged time showed of a model at one horizon, in figures to be read first and in sentences."""

from __future__ import annotations

import math

from app.dashboard import card, words
from app.dashboard.card import Part
from app.dashboard.model_curves import NORMAL_90, Costs, cost_curve, nearest
from app.dashboard.record_context import BigFigure, JudgedHorizon

# With fewer failures nobody can say whether as many came as were said.
FEWEST_FAILURES = 5


def judged_at(horizon: Part, costs: Costs, *, marked: bool) -> JudgedHorizon:
    """`marked` is the horizon that is shown first, the one at which the plant warns."""
    return JudgedHorizon(
        within=card.within(horizon),
        marked=marked,
        big=(_failures(horizon), _caught(horizon), _false_alarms(horizon), _calibration(horizon)),
        cost=_cost(horizon, costs, warns=marked),
    )


def _failures(horizon: Part) -> BigFigure:
    failures, years = card.number(horizon.get("failures")), card.number(horizon.get("machine_years"))
    watched = f", in {words.number(years)} machine-years" if years else ""
    return BigFigure(_count(failures), f"failures in the judged time{watched}")


def _caught(horizon: Part) -> BigFigure:
    own = card.mapping(horizon.get("model"))
    caught, failures = card.number(own.get("failures_caught")), card.number(own.get("failures"))
    if caught is None or not failures:
        return BigFigure(words.NOTHING, "caught: there was none to catch")
    lead = card.number(own.get("lead_time_hours_median"))
    ahead = f", half of them {words.duration(lead)} ahead or more" if lead is not None else ""
    return BigFigure(f"{caught:.0f} of {failures:.0f}", f"caught{ahead}")


def _false_alarms(horizon: Part) -> BigFigure:
    own = card.mapping(horizon.get("model"))
    rate, threshold = card.number(own.get("false_alarms_per_machine_year")), card.number(horizon.get("threshold"))
    judged = f", judged at warnings from {_risk(threshold)} on" if threshold is not None else ""
    said = words.NOTHING if rate is None else f"{rate:.1f}"
    return BigFigure(said, f"false alarms a machine and year{judged}")


def _risk(share: float) -> str:
    """Thresholds of short horizons lie below 1 %, and are told all the same."""
    return f"{share * 100:.2g} %" if share < 0.1 else words.percent(share)


def _count(value: float | None) -> str:
    return words.NOTHING if value is None else f"{value:,.0f}"


def _calibration(horizon: Part) -> BigFigure:
    """Failures that came against those that were said, and what chance of so many explains."""
    bins = card.points(horizon.get("reliability"), "predicted", "observed", "weight")
    failures = card.number(horizon.get("failures")) or 0.0
    said, seen = (sum(a * w for a, w in zip(bins[k], bins[2], strict=True)) for k in (0, 1)) if bins else (0.0, 0.0)
    if failures < FEWEST_FAILURES or not said or not seen:
        return BigFigure("cannot tell", f"whether risks are right: {words.counted(int(failures), 'failure')}")
    ratio, chance = seen / said, math.exp(NORMAL_90 / math.sqrt(failures))
    counted = f"{ratio:.1f} times as many failed as was said"
    if 1 / chance <= ratio <= chance:
        return BigFigure("risks fit", f"{counted}, which chance explains")
    return BigFigure("risks too low" if ratio > 1 else "risks too high", f"{counted}, more than chance explains")


def _cost(horizon: Part, costs: Costs, *, warns: bool) -> str:
    """`€ 310 a machine and year, warning from 13 % on, nearest to this plant's 15 %; at best ...`"""
    curve = cost_curve(horizon, costs)
    if curve is None:
        return ""

    def told(place: int) -> str:
        money = words.money(curve.cost[place], costs.currency)
        return f"{money} a machine and year, warning from {_risk(curve.threshold[place])} on"

    here = nearest(curve.threshold, costs.warn_probability) if warns else curve.judged
    said = told(here) + (f", nearest to this plant's {_risk(costs.warn_probability)}" if warns else ", as judged")
    best = (
        ", the cheapest" if curve.cost[here] <= curve.cost[curve.cheapest] else f"; at best {told(curve.cheapest)}"
    )
    return f"{said}{best}; {words.money(curve.unwarned, costs.currency)} without warnings."
