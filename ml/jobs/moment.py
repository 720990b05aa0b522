"""Times on the bucket's grid."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from app.settings import Settings
from ml.endings import decommissioned
from ml.features.history import History, Moments


def floor_to_bucket(time: datetime, settings: Settings) -> datetime:
    """The last bucket boundary at or before `time`."""
    seconds = int(time.timestamp()) // settings.bucket_seconds * settings.bucket_seconds
    return datetime.fromtimestamp(seconds, UTC)


def fleet_at(history: History, as_of: datetime) -> Moments:
    """Every machine that is still in use at one time."""
    machines = np.arange(len(history.machines))
    moments = Moments(machines, np.full(len(machines), int(as_of.timestamp())))
    return moments.take(decommissioned(history) > moments.as_of)
