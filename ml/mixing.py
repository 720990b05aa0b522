"""How much each member of the ensemble counts: as much as it explained of machines it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.calibration import unlikelihoods
from ml.models.base import Floats, Outcomes
from ml.models.odds import mix

# Tenths: of a few dozen failures nothing finer can be said.
TRIED = np.linspace(0, 1, 11)
# Equal shares unless the failures speak against them, and much the same in every interval: standard deviations of
# the common share around one half, and of an interval's around the common one.
COMMON, OWN = 0.5, 0.5


def learn_weights(left_out: Sequence[Floats], outcomes: Outcomes) -> Floats:
    """[K, 2] weights of two members in each interval, from their out-of-fold hazards [n, K, M]."""
    first, second = left_out
    both = (mix([first, second], [share, 1 - share]) for share in TRIED)
    costs = np.stack([unlikelihoods(each, outcomes) for each in both])
    common = TRIED[np.argmin(costs.sum(axis=1) + ((TRIED - 0.5) / COMMON) ** 2 / 2)]
    own = TRIED[np.argmin(costs + ((TRIED - common) / OWN)[:, None] ** 2 / 2, axis=0)]
    return np.stack([own, 1 - own], axis=1)
