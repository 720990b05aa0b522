"""Whether a new model may serve: it beats the baselines, is calibrated, and costs no more than the one that serves.

The cost is what its alarms would have led to on time that neither model had learnt from: a service for each alarm,
a failure for each one missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.features.history import Moments
from ml.figures import said_and_seen
from ml.judging import HOURS_PER_YEAR, cases
from ml.models.base import Floats, Outcomes
from ml.uncertainty import NORMAL_90

# Times as many failures as said, or as few, before a planner is misled; chance of few failures comes on top.
MOST_OFF = 1.5
# Where none came, so many must have been said: of so many, none at all is as unlikely as 1 in 90.
FEWEST_SAID = 3 * MOST_OFF
# With fewer failures since the serving model learnt, which of two is better is a toss of a coin.
FEWEST_COMPARED = 5
# A new model that costs this much more may still be as good: the comparison has few failures.
TOLERATED = 1.05


@dataclass(frozen=True)
class Serving:
    """The model that serves, asked about the same judged moments: its risk [n, K'] and how far each is ahead.

    `learnt_until` (epoch seconds): moments before it are no test of it.
    """

    number: int
    horizons_hours: tuple[float, ...]
    risk: Floats
    learnt_until: int


@dataclass(frozen=True)
class Verdict:
    passed: bool
    words: str


def gate(
    card: Mapping[str, Any],
    risk: Floats,
    moments: Moments,
    outcomes: Outcomes,
    serving: Serving | None,
    service_cost: float,
    failure_cost: float,
) -> Verdict:
    """`risk` [n, K] is the candidate's of the judged moments, said by a model that had not seen their time."""
    if not card["beats_baselines"]:
        return Verdict(False, str(card["verdict"]))
    off = miscalibrated(card["horizons"])
    if off:
        return Verdict(False, f"Not calibrated: {off}.")
    if serving is None:
        return Verdict(True, str(card["verdict"]))
    later = np.flatnonzero(moments.as_of >= serving.learnt_until)
    every = cases(moments.take(later), outcomes.take(later))
    shared = [
        (k, serving.horizons_hours.index(hours))
        for k, hours in enumerate(outcomes.horizons_hours)
        if hours in serving.horizons_hours
    ]
    ours = theirs = 0.0
    failures = 0
    for k, their in shared:
        case = every[k]
        rows, alarm_from = later[case.rows], service_cost / max(failure_cost, service_cost, 1e-12)
        failures = max(failures, len(case.failures))
        ours += _cost(risk[rows, k], case.truth, case.weight, alarm_from)
        theirs += _cost(serving.risk[rows, their], case.truth, case.weight, alarm_from)
    if failures < FEWEST_COMPARED:
        return Verdict(
            True,
            f"{card['verdict']} Model {serving.number} could not be compared with: {failures} failures since it"
            " learnt.",
        )
    compared = f"expected cost {ours / max(theirs, 1e-12):.2f} of that of model {serving.number}, which serves"
    if ours > TOLERATED * theirs:
        return Verdict(False, f"Costs more: {compared} ({failures} failures since it learnt).")
    return Verdict(True, f"{card['verdict']} {compared[0].upper()}{compared[1:]} ({failures} failures).")


def miscalibrated(horizons: Sequence[Mapping[str, Any]]) -> str | None:
    """Where far more or far fewer failed than was said, by more than chance of so many failures explains."""
    for each in horizons:
        said, seen = said_and_seen(each["reliability"])
        expected = said * each.get("machine_years", 0.0) * HOURS_PER_YEAR / each["hours"]
        if not seen and expected > FEWEST_SAID:
            return f"within {each['hours']:g} h none failed where about {expected:.0f} failures were said"
        if not seen or not said:
            continue
        allowed = MOST_OFF * np.exp(NORMAL_90 / np.sqrt(max(each["failures"], 1)))
        if not 1 / allowed <= seen / said <= allowed:
            return f"within {each['hours']:g} h {seen / said:.1f} times as many failed as was said"
    return None


def _cost(risk: Floats, truth: np.ndarray[Any, Any], weight: Floats, alarm_from: float) -> float:
    """In failures: a missed one is 1, a service its share. Rows of which nothing was said raise no alarm."""
    alarm = np.nan_to_num(risk, nan=0.0) >= alarm_from
    return float((weight * np.where(alarm, alarm_from, truth)).sum())
