"""What a run of moments can see: their rows, windows and events, and the features that belong to no channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np

from ml.features.catalogue import WINDOWS, Feature, window_of
from ml.features.happenings import HOUR, Happenings, choose, epoch_seconds
from ml.features.history import Floats, Ints, Moments
from ml.features.past import Past
from ml.features.rows import Rows, concatenated
from ml.features.windows import LONGEST, Layers, Window, share

LOOK_BACK = WINDOWS[-1]
assert LOOK_BACK <= LONGEST


class View:
    """A run of moments, sorted by (machine, as_of), the rows they can see, and what no channel is needed for."""

    def __init__(self, past: Past, moments: Moments) -> None:
        self.past, self.history, self.rows, self.moments = past, past.history, past.rows, moments
        self.machine = moments.machine
        self.end = moments.as_of // past.history.bucket_seconds
        self._near = _rows_near(past.rows, self.machine, self.end)
        self.layers = Layers(Rows(past.rows.machine[self._near], past.rows.bucket[self._near]))
        self._windows: dict[tuple[int, int], Window] = {}

    def window(self, back: int, until: int = 0) -> Window:
        """The rows of buckets [end - back, end - until) of each moment."""
        if (back, until) not in self._windows:
            rows = self.layers.rows
            start, stop = (rows.locate(self.machine, self.end - edge) for edge in (back, until))
            self._windows[back, until] = Window(self.layers, start, stop)
        return self._windows[back, until]

    def column(self, table: Floats, name: str) -> Floats | None:
        """One channel of the rows near the moments; None where there is nothing to look at."""
        if name not in self.history.channels or not len(self._near):
            return None
        column: Floats = table[self._near, self.history.channels.index(name)]
        return column

    def unknown(self) -> Floats:
        return np.full(len(self.moments), np.nan)

    def compute(self, feature: Feature) -> Floats:
        return self.KINDS[feature.kind](self, feature)

    def age(self, feature: Feature) -> Floats:
        installed = self.history.machines["installed_at"]
        at = epoch_seconds(installed)[self.machine]
        known = installed.notna().to_numpy()[self.machine] & (at < self.moments.as_of)
        return np.where(known, (self.moments.as_of - np.where(known, at, 0)) / HOUR, np.nan)

    @cached_property
    def _first_bucket(self) -> Floats:
        starts = self.rows.starts(len(self.history.machines))
        if not len(self.rows):
            return self.unknown()
        first = self.rows.bucket[starts[:-1].clip(0, len(self.rows) - 1)].astype(float)
        first = np.where(starts[1:] > starts[:-1], first, np.nan)[self.machine]
        return np.where(first < self.end, first, np.nan)

    def since_first(self, feature: Feature) -> Floats:
        """Stands in for age where nobody said when the machine was installed."""
        hours = (self.moments.as_of - self._first_bucket * self.history.bucket_seconds) / HOUR
        return np.where(np.isnan(self.age(feature)), hours, np.nan)

    def missing(self, feature: Feature) -> Floats:
        """Among the buckets since the machine was first heard of."""
        window = self.window(window_of(feature))
        expected = np.minimum(self.end - self._first_bucket, window_of(feature))
        return 1 - share(window.stop - window.start, np.where(np.isnan(expected), 0, expected))

    def happenings(self, kind: str, subject: str | None) -> Happenings:
        chosen = choose(self.history.events, kind, subject)
        machine = chosen["machine"].to_numpy(dtype=np.int64)
        return Happenings(machine, epoch_seconds(chosen["started_at"]), self.moments)

    def fault_count(self, feature: Feature) -> Floats:
        seconds = window_of(feature) * self.history.bucket_seconds
        return self.happenings("fault_code", feature.subject).count(seconds)

    def since_fault(self, feature: Feature) -> Floats:
        return self.happenings("fault_code", feature.subject).hours_since()

    def since_service(self, feature: Feature) -> Floats:
        return self.happenings("service", feature.subject).hours_since()

    def since_failure(self, feature: Feature) -> Floats:
        return self.happenings("failure", feature.subject).hours_since()

    KINDS: ClassVar[dict[str, Callable[[View, Feature], Floats]]] = {
        "age": age,
        "since_first": since_first,
        "missing": missing,
        "fault_count": fault_count,
        "since_fault": since_fault,
        "since_service": since_service,
        "since_failure": since_failure,
    }


def _rows_near(rows: Rows, machine: Ints, end: Ints) -> Ints:
    """Rows of these machines that any window, with the whole blocks it lies in, can touch."""
    if not len(machine):
        return np.zeros(0, dtype=np.int64)
    first = np.flatnonzero(np.r_[True, machine[1:] != machine[:-1]])
    last = np.r_[first[1:], len(machine)] - 1
    oldest = ((end[first] - LOOK_BACK) // LONGEST - 1) * LONGEST
    return concatenated(rows.locate(machine[first], oldest), rows.locate(machine[last], end[last]))
