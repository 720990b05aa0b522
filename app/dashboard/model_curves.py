"""What the model page's script draws: curves by horizon, None where the card holds none, at today's costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.dashboard import card
from app.dashboard.card import Part

# Standard deviations to both ends of a 90 % interval.
NORMAL_90 = 1.645


@dataclass(frozen=True)
class Costs:
    """What a failure and a service cost where nothing is known of the machine, and from which risk one warns."""

    failure: float
    preventive: float
    currency: str
    warn_probability: float


@dataclass(frozen=True)
class CostCurve:
    """Along rising thresholds, a machine and year. `judged` and `cheapest` are positions, `unwarned` never acts.

    At `judged` the card counts its alarms; the plant warns where its settings say.
    """

    threshold: list[float]
    cost: list[float]
    low: list[float] | None
    high: list[float] | None
    caught: list[float]
    judged: int
    cheapest: int
    unwarned: float


def curves_of(horizon: Part, costs: Costs, *, warns: bool) -> dict[str, Any]:
    """`warns` where the plant's own warning level is one of this horizon."""
    cost = cost_curve(horizon, costs)
    return {
        "within": card.within(horizon),
        "hours": card.hours(horizon),
        "reliability": _reliability(horizon),
        "precision_recall": _precision_recall(horizon),
        "lead": _lead(horizon),
        "cost": vars(cost) | {"warns_from": costs.warn_probability if warns else None} if cost else None,
    }


def _reliability(horizon: Part) -> dict[str, Any] | None:
    bins = card.points(horizon.get("reliability"), "predicted", "observed", "weight")
    if not bins or len(bins[0]) < 2:
        return None
    predicted, observed, weight = bins
    total = sum(weight) or 1.0
    return {"predicted": predicted, "observed": observed, "share": [each / total for each in weight]}


def _precision_recall(horizon: Part) -> dict[str, Any] | None:
    curve = card.points(horizon.get("pr_curve"), "recall", "precision")
    if not curve or len(curve[0]) < 2:
        return None
    own = card.mapping(horizon.get("model"))
    judged = [card.number(own.get(name)) for name in ("recall", "precision")]
    return {
        "recall": curve[0],
        "precision": curve[1],
        "prevalence": card.number(horizon.get("base_rate")),
        "judged": None if None in judged else judged,
    }


def _lead(horizon: Part) -> dict[str, Any] | None:
    """Steps that end at nothing: nobody is warned longer before than the longest."""
    steps = card.points(horizon.get("lead_curve"), "hours", "share")
    if not steps:
        return None
    bounds = card.points(horizon.get("lead_curve"), "hours", "low", "high")
    sure = bounds and len(bounds[0]) == len(steps[0])
    return {
        "hours": [*steps[0], steps[0][-1]],
        "share": [*steps[1], 0.0],
        "low": [*bounds[1], 0.0] if sure else None,
        "high": [*bounds[2], 0.0] if sure else None,
    }


def cost_curve(horizon: Part, costs: Costs) -> CostCurve | None:
    """A service for every alert and a failure for every one that was missed."""
    failures, years = card.number(horizon.get("failures")), card.number(horizon.get("machine_years"))
    columns = card.points(horizon.get("alert_curve"), "threshold", "caught", "false_alarms")
    judged = card.number(horizon.get("threshold"))
    if not columns or not failures or not years or judged is None:
        return None
    threshold, caught, false = columns
    cost = [
        ((failures - hits) * costs.failure + (hits + alarms) * costs.preventive) / years
        for hits, alarms in zip(caught, false, strict=True)
    ]
    half = [_half_width(card.mapping(each).get("spread"), costs) for each in card.items(horizon.get("alert_curve"))]
    wide = [each for each in half if each is not None]
    sure = len(wide) == len(cost)
    return CostCurve(
        threshold=threshold,
        cost=cost,
        low=[max(each - width, 0.0) for each, width in zip(cost, wide, strict=True)] if sure else None,
        high=[each + width for each, width in zip(cost, wide, strict=True)] if sure else None,
        caught=caught,
        judged=nearest(threshold, judged),
        cheapest=cost.index(min(cost)),
        unwarned=failures * costs.failure / years,
    )


def nearest(thresholds: Sequence[float], value: float) -> int:
    """Its position."""
    return min(range(len(thresholds)), key=lambda place: abs(thresholds[place] - value))


def _half_width(spread: object, costs: Costs) -> float | None:
    """Of the interval of failure x missed + preventive x services, from their variances and covariance."""
    known = [each for each in map(card.number, card.items(spread)) if each is not None]
    if len(known) != 3:
        return None
    missed, services, both = known
    variance = costs.failure**2 * missed + costs.preventive**2 * services
    return NORMAL_90 * math.sqrt(max(variance + 2 * costs.failure * costs.preventive * both, 0.0))
