"""Times on the bucket's grid."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Engine, func, select

from app.database import session_scope
from app.errors import BadInput
from app.settings import Settings
from ml.endings import decommissioned
from ml.features.history import History, Moments


def floor_to_bucket(time: datetime, settings: Settings) -> datetime:
    """The last bucket boundary at or before `time`."""
    seconds = int(time.timestamp()) // settings.bucket_seconds * settings.bucket_seconds
    return datetime.fromtimestamp(seconds, UTC)


def refuse_future(engine: Engine, settings: Settings, time: datetime) -> None:
    """By the database's clock, which all hosts share: what is said of a time ahead stands in the way when it comes.

    Raises BadInput.
    """
    with session_scope(engine) as session:
        now: datetime = session.scalars(select(func.now())).one()
    if time > now + settings.max_future:
        raise BadInput(f"It is {now:%Y-%m-%d %H:%M} UTC by the database's clock: {time:%Y-%m-%d %H:%M} is ahead.")


def fleet_at(history: History, as_of: datetime) -> Moments:
    """Every machine that is still in use at one time."""
    machines = np.arange(len(history.machines))
    moments = Moments(machines, np.full(len(machines), int(as_of.timestamp())))
    return moments.take(decommissioned(history) > moments.as_of)
