"""Buckets in which a machine stood: what was measured then says nothing of how worn it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.features.catalogue import CURRENT
from ml.features.history import History
from ml.features.rows import Rows

# Of the rated current. An induction motor that turns without any load still draws a quarter to a half of it.
STANDING = 0.1


def stood(history: History, rows: Rows) -> npt.NDArray[np.bool_]:
    """[rows] False where nobody knows: no current, none rated, or rated so high that it was never near it."""
    if CURRENT not in history.channels:
        return np.zeros(len(rows), bool)
    rated = history.machines["rated_current_a"].to_numpy(dtype=float)
    limit = np.where(rated > 0, STANDING * rated, np.nan)[rows.machine]
    current = history.mean[:, history.channels.index(CURRENT)]
    first_run = np.full(len(history.machines), len(rows))
    np.minimum.at(first_run, rows.machine[ran := np.flatnonzero(current >= limit)], ran)
    return np.asarray((current < limit) & (np.arange(len(rows)) > first_run[rows.machine]))
