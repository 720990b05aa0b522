"""How much each member of the ensemble counts: as much as it explained of machines it had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from ml.calibration import unlikelihoods
from ml.models.base import Floats, Outcomes
from ml.models.odds import mix

# Sixths: of a few dozen failures nothing finer can be said, and two or three can share alike.
PARTS = 6
# Equal shares unless the failures speak against them, and much the same in every interval: standard deviations of
# the common shares around equal ones, and of an interval's around the common ones.
COMMON, OWN = 0.5, 0.5


def learn_weights(left_out: Sequence[Floats], outcomes: Outcomes) -> Floats:
    """[K, members] weights in each interval, from the members' out-of-fold hazards [n, K, M]."""
    tried = shares(len(left_out))
    costs = np.stack([unlikelihoods(mix(left_out, each), outcomes) for each in tried])
    common = tried[np.argmin(costs.sum(axis=1) + _unlikely(tried, 1 / len(left_out), COMMON))]
    return np.asarray(tried[np.argmin(costs + _unlikely(tried, common, OWN)[:, None], axis=0)])


def shares(members: int) -> Floats:
    """[tried, members] all ways to share out PARTS equal parts."""
    counts = [each for each in product(range(PARTS + 1), repeat=members) if sum(each) == PARTS]
    return np.array(counts) / PARTS


def _unlikely(tried: Floats, around: Floats | float, deviation: float) -> Floats:
    """Half the squared distance in deviations; of two members, that of either's share."""
    return np.asarray(((tried - around) ** 2).sum(axis=1) / 2 / deviation**2 / 2)
