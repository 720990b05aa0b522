"""The whole history behind all moments, and what takes all of it: baselines and running-hour counters."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ml.features.baseline import Baseline
from ml.features.catalogue import COUNTER
from ml.features.counter import Counter
from ml.features.happenings import NEVER, choose, epoch_seconds
from ml.features.history import Floats, History, Ints
from ml.features.medians import Medians
from ml.features.rows import Rows
from ml.features.standstill import Flags, stood


class Past:
    """Made once for a build; what takes all of it is kept, since every run of moments asks again."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.rows = Rows(history.machine, history.bucket)
        self._baselines: dict[str, Baseline] = {}
        self._medians: dict[str, Medians] = {}
        self._counters: dict[str, Counter] = {}
        self._events: dict[tuple[str, str | None], tuple[Ints, Ints]] = {}

    def baseline(self, channel: str) -> Baseline:
        if channel not in self._baselines:
            column = self._column(self.history.mean, channel)
            self._baselines[channel] = Baseline(self.rows, column, len(self.history.machines))
        return self._baselines[channel]

    def medians(self, channel: str) -> Medians:
        if channel not in self._medians:
            column = self._column(self.history.mean, channel)
            self._medians[channel] = Medians(self.rows, column)
        return self._medians[channel]

    def counter(self, channel: str) -> Counter:
        if channel not in self._counters:
            column = self._column(self.history.last, channel)
            self._counters[channel] = Counter(self.rows, column, len(self.history.machines))
        return self._counters[channel]

    @cached_property
    def stood(self) -> Flags:
        """[rows]"""
        return stood(self.history, self.rows)

    @cached_property
    def installed(self) -> Ints:
        """[machines] epoch seconds, NEVER where nobody said."""
        told = self.history.machines["installed_at"]
        return np.where(told.isna().to_numpy(), NEVER, epoch_seconds(told))

    def events(self, kind: str, subject: str | None) -> tuple[Ints, Ints]:
        """(machine, epoch seconds) of the events of that kind and subject."""
        if (kind, subject) not in self._events:
            chosen = choose(self.history.events, kind, subject)
            at = epoch_seconds(chosen["started_at"])
            self._events[kind, subject] = chosen["machine"].to_numpy(dtype=np.int64), at
        return self._events[kind, subject]

    def _column(self, table: Floats, channel: str) -> Floats:
        """Without what was measured while the machine stood."""
        column = table[:, self.history.channels.index(channel)]
        return column if channel == COUNTER or not self.stood.any() else np.where(self.stood, np.nan, column)
