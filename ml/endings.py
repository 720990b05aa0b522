"""Until when each machine was watched, and when it was in use: what censors, for the labels."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.failures import seconds
from ml.features.happenings import NEVER, Happenings, epoch_seconds, whole_machine
from ml.features.history import History, Ints, Moments

# A machine that ran shorter after its last failure was ended by it, not cut off by the calendar.
AFTERLIFE_BUCKETS = 24

Flags = npt.NDArray[np.bool_]


def in_use(history: History, moments: Moments) -> Flags:
    """False inside the downtime of a failure or service, and from the decommissioning on."""
    events = history.events
    down = events[events["kind"].isin(["failure", "service"]) & events["ended_at"].notna()]
    running = moments.as_of < decommissioned(history)[moments.machine]
    if down.empty:
        return running
    machine = down["machine"].to_numpy(dtype=np.int64)
    ended = pd.Series(epoch_seconds(down["ended_at"])).groupby(machine).cummax().to_numpy()
    position = Happenings(machine, epoch_seconds(down["started_at"]), moments).before() - 1
    inside = (position >= 0) & (machine[position] == moments.machine) & (ended[position] > moments.as_of)
    return np.asarray(running & ~inside)


def upcoming(machine: Ints, at: Ints, moments: Moments) -> tuple[Ints, Ints]:
    """Of events sorted by (machine, time): (when the first at or after as_of is, NEVER without; its position)."""
    events = Happenings(machine, at, moments)
    position = events.before()
    same = np.append(events.machine, -1)[position] == moments.machine
    return np.where(same, np.append(events.at, NEVER)[position], NEVER), position


def renewed_at(history: History, moments: Moments, found: pd.DataFrame, until: datetime | None) -> Ints:
    """When the machine next became another one: serviced as a whole before it failed, or taken away."""
    events = history.events
    whole = whole_machine(events)
    machine = events.loc[whole, "machine"].to_numpy(dtype=np.int64)
    at = epoch_seconds(events.loc[whole, "started_at"])
    repairs = set(zip(found["machine"], found["at"], strict=True))
    kept = np.array([pair not in repairs for pair in zip(machine, at, strict=True)], dtype=bool)
    kept &= at < seconds(until)
    serviced, _ = upcoming(machine[kept], at[kept], moments)
    return np.minimum(serviced, decommissioned(history)[moments.machine])


def decommissioned(history: History) -> Ints:
    """[machines] epoch seconds, NEVER where it still runs."""
    told = history.machines["decommissioned_at"]
    at = np.where(told.isna().to_numpy(), NEVER, epoch_seconds(told))
    gone = history.events[history.events["kind"] == "decommission"]
    np.minimum.at(at, gone["machine"].to_numpy(dtype=np.int64), epoch_seconds(gone["started_at"]))
    return at


def last_seen(history: History, until: datetime | None) -> Ints:
    """[machines] the last sign of life, reading or event, before `until`."""
    limit = seconds(until)
    seen = np.full(len(history.machines), -NEVER)
    np.maximum.at(seen, history.machine, np.minimum((history.bucket + 1) * history.bucket_seconds, limit))
    at = epoch_seconds(history.events["started_at"])
    machine = history.events["machine"].to_numpy(dtype=np.int64)
    np.maximum.at(seen, machine[at < limit], at[at < limit])
    return seen


def ended_by_failure(history: History, found: pd.DataFrame, until: datetime | None) -> Flags:
    """[machines] the data end with a failure: run to failure, however much longer we would have looked."""
    failed = np.full(len(history.machines), -NEVER)
    np.maximum.at(failed, found["machine"].to_numpy(dtype=np.int64), found["at"].to_numpy(dtype=np.int64))
    afterlife = last_seen(history, until) - failed
    return np.asarray((failed > -NEVER) & (afterlife < AFTERLIFE_BUCKETS * history.bucket_seconds))
