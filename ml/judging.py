"""What of the held-out time can be judged at one horizon, and what alerts would have meant: failures, not rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.features.history import Moments
from ml.models.base import Floats, Outcomes

HOURS_PER_YEAR = 8766.0

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

    @property
    def failures(self) -> npt.NDArray[np.int64]:
        return np.unique(self.failure[self.failure >= 0])


def judged(moments: Moments, outcomes: Outcomes, k: int) -> Judged:
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
    )


def known_at(moments: Moments, outcomes: Outcomes, k: int) -> Flags:
    """[n] rows that survived horizon k for certain, or failed before it no later than such a survivor was seen.

    In the last hours before the data end only failures are known: with them alone every model would look too timid.
    Where nobody was watched for the whole horizon, nothing can be judged.
    """
    survived = (outcomes.interval > k) & outcomes.observed[:, k]
    last = moments.as_of[survived].max() if survived.any() else np.iinfo(np.int64).min
    return np.asarray(survived | ((outcomes.interval <= k) & (moments.as_of <= last)))


def alert_figures(alert: Flags, case: Judged) -> dict[str, Any]:
    """A failure is caught when any moment within the horizon before it gave an alert; each counts once."""
    hits = alert & (case.failure >= 0)
    caught = np.unique(case.failure[hits])
    leads = [float(np.max(case.hours_to_failure[hits & (case.failure == each)])) for each in caught]
    years = _machine_years(case)
    return {
        "failures": len(case.failures),
        "failures_caught": len(caught),
        "lead_time_hours_median": float(np.median(leads)) if leads else float("nan"),
        "false_alarms_per_machine_year": _false_alarms(alert, case) / years if years else float("nan"),
    }


def _false_alarms(alert: Flags, case: Judged) -> int:
    """Alerts without a failure within the horizon; those closer together than the horizon are one alarm."""
    false = np.flatnonzero(alert & ~case.truth)
    false = false[np.lexsort((case.as_of_hours[false], case.machine[false]))]
    if not len(false):
        return 0
    other_machine = np.diff(case.machine[false]) != 0
    later = np.diff(case.as_of_hours[false]) > case.horizon_hours
    return 1 + int((other_machine | later).sum())


def _machine_years(case: Judged) -> float:
    spans = [np.ptp(case.as_of_hours[case.machine == each]) for each in np.unique(case.machine)]
    return float(sum(spans)) / HOURS_PER_YEAR
