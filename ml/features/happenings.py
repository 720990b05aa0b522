"""What happened to the machines before each moment: counts of events and time since the last one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.fleet.event_rule import INSPECTION, PREVENTIVE, REPLACEMENT
from ml.features.history import Floats, Ints, Moments

HOUR = 3600
# Later than any time, with room to add and subtract.
NEVER = np.iinfo(np.int64).max // 4


def epoch_seconds(times: pd.Series[pd.Timestamp]) -> Ints:
    """Whole seconds, rounded down, so that `t < as_of` stays true or false; NaT is the smallest integer."""
    micros = times.dt.as_unit("us").astype("int64").to_numpy()
    return np.where(times.isna().to_numpy(), np.iinfo(np.int64).min, micros // 1_000_000)


class Happenings:
    """Some events, sorted by (machine, time), asked from many moments."""

    def __init__(self, machine: Ints, at: Ints, moments: Moments) -> None:
        order = np.lexsort((at, machine))
        self.machine, self.at = machine[order], at[order]
        everything = np.concatenate([self.at, moments.as_of, [0]])
        self._base = int(everything.min())
        self._span = int(everything.max()) - self._base + 2
        self._key = self.machine * self._span + (self.at - self._base)
        self._moments = moments

    def before(self, seconds_back: int = 0) -> Ints:
        """How many events of this and all earlier machines lie before `as_of - seconds_back`."""
        offset = (self._moments.as_of - seconds_back - self._base).clip(0)
        found: Ints = np.searchsorted(self._key, self._moments.machine * self._span + offset)
        return found

    def count(self, seconds: int) -> Floats:
        return (self.before() - self.before(seconds)).astype(float)

    def last(self) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """(epoch seconds of the last event before each moment, whether there is one)."""
        position = self.before() - 1
        if not len(self.at):
            return np.zeros(len(position), dtype=np.int64), np.zeros(len(position), dtype=bool)
        return self.at[position], (position >= 0) & (self.machine[position] == self._moments.machine)

    def hours_since(self) -> Floats:
        at, found = self.last()
        return np.where(found, (self._moments.as_of - at) / HOUR, np.nan)


def choose(events: pd.DataFrame, kind: str, subject: str | None) -> pd.DataFrame:
    """Events of a kind, of one fault code or component where a subject is named.

    Looking is no service, and one that renews the machine as a whole renews each of its components.
    """
    chosen = events[events["kind"] == kind]
    if kind == "service":
        chosen = chosen[chosen["code"] != INSPECTION]
    if subject is None:
        return chosen
    about = chosen["code" if kind == "fault_code" else "component"] == subject
    return chosen[about | whole_machine(chosen)]


def whole_machine(events: pd.DataFrame) -> pd.Series[bool]:
    """Services after which the machine as a whole is a new one."""
    renews = (events["kind"] == "service") & events["code"].isin([PREVENTIVE, REPLACEMENT])
    return renews & events["component"].isna()
