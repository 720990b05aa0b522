"""How far each machine's readings go, as this process knows it: a later one is new and need not be looked up."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from app.ingest.columns import Ints, Mask

UNKNOWN, NEVER = np.iinfo(np.int64).max, np.iinfo(np.int64).min
# Another process stores readings of the same machines; a wrong guess costs a whole transaction, a look-up little.
SECONDS_OF_DISTRUST = 30.0


class Newest:
    """A guess that saves work: the database's unique key decides."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._newest_us = np.empty(0, dtype=np.int64)
        self._distrust_until = 0.0

    def surely_new(self, machine_ids: Ints, measured_us: Ints) -> Mask:
        if self._now() < self._distrust_until:
            return np.zeros(len(machine_ids), dtype=np.bool_)
        self._make_room(machine_ids)
        return np.asarray(measured_us > self._newest_us[machine_ids], dtype=np.bool_)

    def unknown(self, machine_ids: Ints) -> Ints:
        """Those of which this process does not know how far they go."""
        self._make_room(machine_ids)
        unknown: Ints = machine_ids[self._newest_us[machine_ids] == UNKNOWN]
        return unknown

    def learn(self, machine_ids: Ints, measured_us: Ints) -> None:
        """These rows are stored, and of machines that were unknown there are no later ones."""
        self._make_room(machine_ids)
        known = np.where(self._newest_us == UNKNOWN, NEVER, self._newest_us)
        np.maximum.at(known, machine_ids, measured_us)
        self._newest_us = np.where(known == NEVER, UNKNOWN, known)

    def distrust(self) -> None:
        self._distrust_until = self._now() + SECONDS_OF_DISTRUST

    def _make_room(self, machine_ids: Ints) -> None:
        missing = int(machine_ids.max(initial=-1)) + 1 - len(self._newest_us)
        if missing > 0:
            self._newest_us = np.append(self._newest_us, np.full(missing, UNKNOWN))
