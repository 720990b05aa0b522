"""Buckets in which a machine stood: what was measured then says nothing of how worn it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ingest.plausibility import COUNTER_JITTER_HOURS, IDLE_A, IDLE_SHARE_OF_RATED
from ml.features.catalogue import COUNTER, CURRENT
from ml.features.history import History
from ml.features.rows import Rows

# Of a machine's buckets so far. One that hardly ever drew so much has a rated current that cannot be right.
FEWEST_RUNNING = 0.1

Flags = npt.NDArray[np.bool_]


def stood(history: History, rows: Rows) -> Flags:
    """[rows] It never drew the current of a motor without load, nor did its hour counter rise.

    False where nobody knows, and where the machine had hardly ever been seen to run by then.
    """
    if CURRENT not in history.channels:
        return np.zeros(len(rows), bool)
    rated = history.machines["rated_current_a"].to_numpy(dtype=float)
    limit = np.where(rated > 0, IDLE_SHARE_OF_RATED * np.nan_to_num(rated), IDLE_A)[rows.machine]
    place = history.channels.index(CURRENT)
    most = np.maximum(np.abs(history.min[:, place]), np.abs(history.max[:, place]))
    ran, start = np.cumsum(most >= limit), rows.starts(len(history.machines))[:-1][rows.machine]
    before = np.append(0, ran)[start]
    known = ran - before >= FEWEST_RUNNING * (np.arange(len(rows)) - start + 1)
    return np.asarray((most < limit) & known & ~_counted(history, rows))


def _counted(history: History, rows: Rows) -> Flags:
    """[rows] The hour counter rose since the row before."""
    rose = np.zeros(len(rows), bool)
    if COUNTER in history.channels:
        hours = history.last[:, history.channels.index(COUNTER)]
        rose[1:] = (np.diff(rows.machine) == 0) & (np.diff(hours) > COUNTER_JITTER_HOURS)
    return rose
