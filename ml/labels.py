"""What became of each moment: the next failure, its interval and mode, and where nobody could look any further.

The hazard is that of failing under the maintenance that happens; docs/decisions/censoring.md weighs the rules.
Decommissioning, a preventive service of the whole machine and the end of its data censor. An interval cut by the
first two counts for survivors by the share that was seen. The end of data is known beforehand, so the interval it
cuts is left out for failing and surviving moments alike. Keeping the failures of cut intervals and none of their
survivors would overstate the hazard.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ml.endings import Flags, ended_by_failure, last_seen, renewed_at, upcoming
from ml.failures import failures, seconds
from ml.features.happenings import HOUR
from ml.features.history import Floats, History, Ints, Moments
from ml.models.base import Outcomes


def label(
    history: History,
    moments: Moments,
    horizons_hours: Sequence[float],
    modes: Sequence[str],
    observed_until: datetime | None = None,
) -> Outcomes:
    """The outcome of each moment as known at `observed_until`. A mode not in `modes` counts as the last."""
    found = failures(history, observed_until)
    failed_at, failure = upcoming(found["machine"].to_numpy(np.int64), found["at"].to_numpy(np.int64), moments)
    renewed = renewed_at(history, moments, found, observed_until)
    failed = (failed_at <= renewed) & (failed_at < seconds(observed_until))
    elapsed = np.minimum(failed_at, renewed) - moments.as_of
    ends = horizon_seconds(horizons_hours)
    interval = np.where(failed, np.searchsorted(ends, elapsed, side="right"), len(ends))
    failing = np.arange(len(ends)) <= interval[:, None]
    exposure = np.where(failed[:, None], failing, _share_seen(elapsed, ends))
    place = {name: index for index, name in enumerate(modes)}
    mode = np.array([place.get(name, len(modes) - 1) for name in found["mode"]], dtype=np.int64)
    within = interval < len(ends)
    outcomes = Outcomes(
        horizons_hours=tuple(float(hours) for hours in horizons_hours),
        modes=tuple(modes),
        interval=interval,
        exposure=exposure,
        mode=_taken(mode, failure, within),
        failure=_taken(found["row"].to_numpy(np.int64), failure, within),
        hours_to_failure=np.where(failed, elapsed / HOUR, np.nan),
        hours_observed=elapsed / HOUR,
        weight=np.ones(len(moments)),
    )
    seen = last_seen(history, observed_until)
    unlimited = failed & ended_by_failure(history, found, observed_until)[moments.machine]
    return seen_until(outcomes, moments, np.where(unlimited, seconds(observed_until), seen[moments.machine]))


def seen_until(outcomes: Outcomes, moments: Moments, end: Ints | int) -> Outcomes:
    """The outcomes as known at `end` (epoch seconds): later failures vanish, intervals it cuts are left out."""
    left = np.maximum(end - moments.as_of, 0)
    ends = horizon_seconds(outcomes.horizons_hours)
    unknown = ~(np.round(outcomes.hours_to_failure * HOUR) < left)
    return Outcomes(
        horizons_hours=outcomes.horizons_hours,
        modes=outcomes.modes,
        interval=np.where(unknown, len(ends), outcomes.interval),
        exposure=np.where(ends <= left[:, None], outcomes.exposure, 0.0),
        mode=np.where(unknown, -1, outcomes.mode),
        failure=np.where(unknown, -1, outcomes.failure),
        hours_to_failure=np.where(unknown, np.nan, outcomes.hours_to_failure),
        hours_observed=np.minimum(outcomes.hours_observed, left / HOUR),
        weight=outcomes.weight,
    )


def _share_seen(elapsed: Ints, ends: Ints) -> Floats:
    """[n, K] of each interval, by who was watched for `elapsed` seconds."""
    begins = np.append(0, ends[:-1])
    return np.asarray(((elapsed[:, None] - begins) / (ends - begins)).clip(0, 1))


def horizon_seconds(horizons_hours: Sequence[float]) -> Ints:
    return np.round(np.asarray(horizons_hours, dtype=float) * HOUR).astype(np.int64)


def _taken(values: Ints, position: Ints, within: Flags) -> Ints:
    taken = np.full(len(position), -1)
    taken[within] = values[position[within]]
    return taken
