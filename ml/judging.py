"""What of the held-out time can be judged at one horizon, and what alerts would have meant: failures, not rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.features.history import Moments
from ml.models.base import Floats, Outcomes

HOURS_PER_YEAR = 8766.0
# Levels tried for a threshold: of more failures, a few of them.
MOST_LEVELS = 40

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """The rows whose outcome at one horizon is known."""

    rows: npt.NDArray[np.int64]
    truth: Flags
    weight: Floats
    machine: npt.NDArray[np.int64]
    as_of_hours: Floats
    failure: npt.NDArray[np.int64]
    hours_to_failure: Floats
    horizon_hours: float
    # Between two moments of a machine, where none was thinned out.
    step_hours: float = 1.0

    @property
    def failures(self) -> npt.NDArray[np.int64]:
        return np.unique(self.failure[self.failure >= 0])


def cases(moments: Moments, outcomes: Outcomes) -> list[Judged]:
    """[K] what can be judged at each horizon."""
    step = _step_hours(moments)
    return [judged(moments, outcomes, k, step) for k in range(len(outcomes.horizons_hours))]


def judged(moments: Moments, outcomes: Outcomes, k: int, step_hours: float | None = None) -> Judged:
    """`step_hours` where it is known already."""
    rows = np.flatnonzero(known_at(moments, outcomes, k))
    truth = outcomes.interval[rows] <= k
    return Judged(
        rows,
        truth,
        outcomes.weight[rows],
        moments.machine[rows],
        moments.as_of[rows] / 3600,
        np.where(truth, outcomes.failure[rows], -1),
        outcomes.hours_to_failure[rows],
        outcomes.horizons_hours[k],
        _step_hours(moments) if step_hours is None else step_hours,
    )


def known_at(moments: Moments, outcomes: Outcomes, k: int) -> Flags:
    """[n] rows that survived horizon k for certain, or failed before it no later than such a survivor was seen.

    In the last hours before the data end only failures are known: with them alone every model would look too timid.
    Where nobody was watched for the whole horizon, nothing can be judged.
    """
    survived = outcomes.survived(k)
    last = moments.as_of[survived].max() if survived.any() else np.iinfo(np.int64).min
    return np.asarray(survived | ((outcomes.interval <= k) & (moments.as_of <= last)))


def alert_figures(alert: Flags, case: Judged) -> dict[str, Any]:
    """A failure is caught when any moment within the horizon before it gave an alert; each counts once."""
    hits = alert & (case.failure >= 0)
    caught = np.unique(case.failure[hits])
    longest = leads(alert, case)
    known = longest[np.isfinite(longest)]
    years, false = machine_years(case), _false_alarms(alert, case)
    return {
        "failures": len(case.failures),
        "failures_caught": len(caught),
        "false_alarms": false,
        "lead_time_hours_median": float(np.median(known)) if len(known) else float("nan"),
        "false_alarms_per_machine_year": false / years if years else float("nan"),
    }


def leads(alert: Flags, case: Judged) -> Floats:
    """[failures] hours between the first alert and each failure; -inf where there was none."""
    hits = alert & (case.failure >= 0)
    longest = np.full(len(case.failures), -np.inf)
    np.fmax.at(longest, np.searchsorted(case.failures, case.failure[hits]), case.hours_to_failure[hits])
    return longest


def best_threshold(risk: Floats, case: Judged) -> float:
    """The risk from which to warn: most failures caught for fewest false alarms (F1 of the two); 0.5 without any.

    Counted by failures, as planners do: by rows, one failure that is hard to see far ahead costs as much as a dozen
    false alarms.
    """
    if not len(case.failures):
        return 0.5
    highest = peaks(risk, case)
    others = by_machine_and_time(np.flatnonzero(~case.truth), case)
    levels = np.unique(np.quantile(highest, np.linspace(0, 1, MOST_LEVELS), method="nearest"))
    values = [_value(level, highest, others[risk[others] >= level], case) for level in levels]
    found = levels[int(np.argmax(values))]
    # Half-way to the next false alarm below: the same failures are caught, and earlier.
    return float((found + risk[others][risk[others] < found].max(initial=0.0)) / 2)


def peaks(risk: Floats, case: Judged) -> Floats:
    """The highest risk said before each failure."""
    highest = np.full(len(case.failures), -np.inf)
    told = case.failure >= 0
    np.maximum.at(highest, np.searchsorted(case.failures, case.failure[told]), risk[told])
    return highest


def by_machine_and_time(rows: npt.NDArray[np.int64], case: Judged) -> npt.NDArray[np.int64]:
    return np.asarray(rows[np.lexsort((case.as_of_hours[rows], case.machine[rows]))])


def _value(level: float, highest: Floats, false: npt.NDArray[np.int64], case: Judged) -> float:
    caught = int((highest >= level).sum())
    return 2 * caught / (caught + float(alarms(false, case)[1].sum()) + len(highest))


def _false_alarms(alert: Flags, case: Judged) -> float:
    """Alerts without a failure within the horizon; those closer together than the horizon are one alarm."""
    return float(alarms(by_machine_and_time(np.flatnonzero(alert & ~case.truth), case), case)[1].sum())


def _step_hours(moments: Moments) -> float:
    order = np.lexsort((moments.as_of, moments.machine))
    step = np.diff(moments.as_of[order])[np.diff(moments.machine[order]) == 0]
    return float(step[step > 0].min(initial=24 * 3600)) / 3600


def alarms(rows: npt.NDArray[np.int64], case: Judged) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where each alarm of these rows, sorted by machine and time, begins, and how many it counts as.

    A thinned moment stands for as many as its weight spans horizons.
    """
    if not len(rows):
        return rows, np.zeros(0)
    other_machine = np.diff(case.machine[rows]) != 0
    later = np.diff(case.as_of_hours[rows]) > case.horizon_hours
    begins = np.flatnonzero(np.append(True, other_machine | later))
    weight = np.maximum.reduceat(case.weight[rows], begins) * case.step_hours / case.horizon_hours
    return rows[begins], np.maximum(weight, 1.0)


def machine_years(case: Judged) -> float:
    """That the machines were watched for."""
    return float(years_of_machines(case).sum())


def years_of_machines(case: Judged) -> Floats:
    """[machines] from the first to the last moment of each, in the order of their numbers."""
    machines, place = np.unique(case.machine, return_inverse=True)
    first, last = np.full(len(machines), np.inf), np.full(len(machines), -np.inf)
    np.minimum.at(first, place, case.as_of_hours)
    np.maximum.at(last, place, case.as_of_hours)
    return np.asarray((last - first) / HOURS_PER_YEAR)
