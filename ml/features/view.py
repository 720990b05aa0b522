"""What a run of moments can see: their rows, windows and events, and the features that belong to no channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np

from ml.features.catalogue import COUNTER, WINDOWS, Feature, window_of
from ml.features.happenings import HOUR, Happenings
from ml.features.history import Floats, Moments
from ml.features.past import Past
from ml.features.standstill import Flags
from ml.features.windows import Segments, Times, Window, share

LOOK_BACK = WINDOWS[-1]


class View:
    """A run of moments, sorted by (machine, as_of), the rows they can see, and what no channel is needed for."""

    def __init__(self, past: Past, moments: Moments) -> None:
        self.past, self.history, self.rows, self.moments = past, past.history, past.rows, moments
        self.machine = moments.machine
        self.end = moments.as_of // past.history.bucket_seconds
        self.segments = Segments(past.rows, self.machine, self.end, LOOK_BACK)
        self._windows: dict[tuple[int, int], Window] = {}

    def window(self, back: int, until: int = 0) -> Window:
        """The buckets [end - back, end - until) of each moment."""
        if (back, until) not in self._windows:
            self._windows[back, until] = self.segments.window(back, until)
        return self._windows[back, until]

    def column(self, table: Floats, name: str) -> Floats:
        """[segments, width] one channel, laid out around the moments; unknown while the machine stood."""
        laid = self.segments.grid(table[self.segments.rows, self.history.channels.index(name)])
        if name != COUNTER:
            laid[self._stood] = np.nan
        return laid

    @cached_property
    def _stood(self) -> Flags:
        """[segments, width]"""
        return np.asarray(self.segments.grid(self.past.stood[self.segments.rows].astype(float)) == 1)

    def leading(self, table: Floats, name: str) -> Floats:
        """[segments, LEADING] of one channel, the rows up to each segment's first."""
        return self.segments.leading(table[:, self.history.channels.index(name)])

    def has(self, channel: str) -> bool:
        """Whether there is anything to look at."""
        return channel in self.history.channels and len(self.moments) > 0

    def unknown(self) -> Floats:
        return np.full(len(self.moments), np.nan)

    def compute(self, feature: Feature) -> Floats:
        return self.KINDS[feature.kind](self, feature)

    def age(self, feature: Feature) -> Floats:
        at = self.past.installed[self.machine]
        known = at < self.moments.as_of
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
        expected = np.minimum(self.end - self._first_bucket, window_of(feature))
        present = self.times.over(self.window(window_of(feature)), 0)
        return 1 - share(present, np.where(np.isnan(expected), 0, expected))

    @cached_property
    def times(self) -> Times:
        """Of the buckets in which anything was measured."""
        return Times(np.isfinite(self.segments.grid(np.ones(len(self.segments.rows)))))

    def happenings(self, kind: str, subject: str | None) -> Happenings:
        return Happenings(*self.past.events(kind, subject), self.moments)

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
