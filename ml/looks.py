"""Looks at machines: when to look at a failure, how far from usual a look is, and how near looks are to each other.

A look [columns] is in the widths of ordinary moments, NaN where unknown; ml.past_failures keeps some.
"""

from __future__ import annotations

import numpy as np

from app.risk.assess import nearest_to_status_horizon
from ml.features.happenings import epoch_seconds
from ml.features.history import Floats, History, Ints
from ml.models.base import Outcomes
from ml.models.scaling import FARTHEST
from ml.thinning import shared_out

# Looks at each failure, in status horizons before it: a week, half of it and a day, since it comes step by step.
LOOKED_AT = (1.0, 0.5, 1 / 7)
MOST_FAILURES = 500
# Of ordinary moments, this share may be told to be like a failure of a mode.
TOLERATED = 0.02
# Of the columns, so that two looks with little in common are not near.
FEWEST_IN_COMMON = 0.5


def before_failures(history: History, outcomes: Outcomes) -> Ints:
    """The rows nearest to each time that is looked at, within the status horizon before each failure."""
    k = nearest_to_status_horizon(outcomes.horizons_hours)
    before = np.flatnonzero(np.isin(outcomes.failure, _chosen(history, outcomes)) & (outcomes.interval <= k))
    hours, failure = outcomes.hours_to_failure[before], outcomes.failure[before]
    looks = []
    for share in LOOKED_AT:
        order = np.lexsort((np.abs(hours - share * outcomes.horizons_hours[k]), failure))
        looks.append(before[order[np.unique(failure[order], return_index=True)[1]]])
    return np.unique(np.concatenate(looks))


def _chosen(history: History, outcomes: Outcomes) -> Ints:
    """Failures (rows of the events): of too many the newest of each mode."""
    failure, first = np.unique(outcomes.failure, return_index=True)
    failure, mode = failure[failure >= 0], outcomes.mode[first][failure >= 0]
    at = epoch_seconds(history.events["started_at"])[failure]
    of_mode = (np.flatnonzero(mode == each) for each in range(len(outcomes.modes)))
    newest = [each[np.argsort(-at[each], kind="stable")] for each in of_mode]
    quotas = shared_out([len(each) for each in newest], MOST_FAILURES)
    kept = np.concatenate([each[:quota] for each, quota in zip(newest, quotas, strict=True)])
    return np.asarray(failure[kept])


def scaled(away: Floats, middle: Floats, width: Floats) -> Floats:
    return np.asarray(np.clip((away - middle) / width, -FARTHEST, FARTHEST))


def size(looks: Floats) -> Floats:
    """[n] root mean square of what is known: how far from usual; 0 where nothing is."""
    known = np.isfinite(looks)
    return np.asarray(np.sqrt((np.where(known, looks, 0) ** 2).sum(axis=1) / np.maximum(known.sum(axis=1), 1)))


def limits_of(looks: Floats, of: Ints, mode: Ints, ordinary: Floats, least: float, modes: int) -> Floats:
    """[modes] how near to a look of that mode is alike; NaN with fewer than two failures.

    The middle of the distances that looks of different failures of the mode have among each other, or less, so that
    no more than TOLERATED of the `ordinary` moments are as near; those no farther from usual than `least` are like
    nothing anyway.
    """
    among, theirs = distances(looks, looks), distances(ordinary, looks)
    theirs[size(ordinary) <= least] = np.inf
    limits = np.full(modes, np.nan)
    for each in np.unique(mode):
        own = mode == each
        pairs = among[np.ix_(own, own)][of[own][:, None] != of[own]]
        if len(pairs):
            wrongly = np.quantile(theirs[:, own].min(axis=1), TOLERATED, method="lower")
            limits[each] = min(np.median(pairs), np.nextafter(wrongly, 0))
    return limits


def distances(looks: Floats, others: Floats) -> Floats:
    """[n, m] root mean square difference over the columns known to both, infinite where those are too few."""
    known, theirs = np.isfinite(looks).astype(float), np.isfinite(others).astype(float)
    looks, others = np.nan_to_num(looks, nan=0.0), np.nan_to_num(others, nan=0.0)
    apart = looks**2 @ theirs.T - 2 * looks @ others.T + known @ (others**2).T
    common = known @ theirs.T
    mean = apart.clip(0) / np.maximum(common, 1)
    return np.asarray(np.where(common >= FEWEST_IN_COMMON * looks.shape[1], np.sqrt(mean), np.inf))
