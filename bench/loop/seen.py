"""All that a policy gets to see of a plant: its machines, readings so far, events as they were told so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.sets import as_loaded
from ml.dataset import EVENT_COLUMNS, MACHINE_COLUMNS
from ml.features.history import Floats, History
from ml.simulate.fleet import recorded
from ml.simulate.happenings import Happening, as_table
from ml.simulate.sensors import CHANNELS
from ml.simulate.state import Step

HOUR = 3600
STEPS_AT_ONCE = 2048


class Seen:
    """`machines` has the columns of machines.csv; a machine is its position there. `now` is epoch seconds."""

    def __init__(self, machines: pd.DataFrame, start: int, happened: Sequence[Happening] = ()) -> None:
        self.machines, self.start, self.now = machines.copy(), start, start
        # With ends that are still ahead, so nobody reads it but through `events`.
        self._happened = list(happened)
        self._values = np.empty((0, len(machines), len(CHANNELS)))
        self._steps = 0

    def see(self, step: Step, now: int) -> None:
        """An hour of readings, and what happened in it."""
        if self._steps == len(self._values):
            room = np.full((STEPS_AT_ONCE, *self._values.shape[1:]), np.nan)
            self._values = np.concatenate([self._values, room])
        self._values[self._steps] = step.readings
        self._steps += 1
        self._happened += step.happened
        self.now = now

    def events(self) -> list[Happening]:
        """As known now: begun, and the end only if it has come."""
        return recorded(self._happened, self.now)

    def last(self, channel: str, hours: int) -> Floats:
        """[hours, machines], NaN where nothing came."""
        return self._values[max(self._steps - hours, 0) : self._steps, :, CHANNELS.index(channel)].copy()

    def history(self) -> History:
        """As ml.dataset would load it now."""
        seen = self._values[: self._steps, :, np.argsort(CHANNELS)].swapaxes(0, 1)
        known = np.isfinite(seen)
        machine, hour = np.nonzero(known.any(axis=2))
        values, known = seen[machine, hour], known[machine, hour]
        return History(
            HOUR,
            as_loaded(self.machines, MACHINE_COLUMNS),
            tuple(sorted(CHANNELS)),
            machine,
            hour + self.start // HOUR,
            n=known.astype(float),
            std=np.where(known, 0.0, np.nan),
            events=self._events(),
            **dict.fromkeys(("mean", "min", "max", "last"), values),
        )

    def _events(self) -> pd.DataFrame:
        table = as_table(self.events(), np.arange(len(self.machines)).tolist())
        by = ["machine", "started_at", "kind", "code", "component"]
        return as_loaded(table, EVENT_COLUMNS).sort_values(by, na_position="first", ignore_index=True)
