"""The whole history behind all moments, and what takes all of it: baselines and running-hour counters."""

from __future__ import annotations

from ml.features.baseline import Baseline
from ml.features.counter import Counter
from ml.features.history import Floats, History
from ml.features.rows import Rows


class Past:
    """Made once for a build; baselines and counters are kept, since every run of moments asks again."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.rows = Rows(history.machine, history.bucket)
        self._baselines: dict[str, Baseline] = {}
        self._counters: dict[str, Counter] = {}

    def baseline(self, channel: str) -> Baseline:
        if channel not in self._baselines:
            column = self._column(self.history.mean, channel)
            self._baselines[channel] = Baseline(self.rows, column, len(self.history.machines))
        return self._baselines[channel]

    def counter(self, channel: str) -> Counter:
        if channel not in self._counters:
            column = self._column(self.history.last, channel)
            self._counters[channel] = Counter(self.rows, column, len(self.history.machines))
        return self._counters[channel]

    def _column(self, table: Floats, channel: str) -> Floats:
        return table[:, self.history.channels.index(channel)]
