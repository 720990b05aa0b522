"""The features of one channel for a run of moments: levels, distance from the baseline, running hours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np

from ml.features.catalogue import CURRENT, Feature, window_of
from ml.features.counter import Counter
from ml.features.happenings import HOUR
from ml.features.history import Floats
from ml.features.view import View
from ml.features.windows import Extremes, Sums, Window, last_known, share


class Channel:
    """One channel of the rows near some moments; its sums and tables are made when first asked for."""

    def __init__(self, view: View, name: str) -> None:
        self.view, self.name = view, name
        self.absent = not view.has(name)

    def compute(self, feature: Feature) -> Floats:
        return self.view.unknown() if self.absent else self.KINDS[feature.kind](self, feature)

    def _near(self, table: Floats) -> Floats:
        return self.view.column(table, self.name)

    @cached_property
    def _sums(self) -> Sums:
        table = self.view.history.mean
        return Sums(self._near(table), self.view.leading(table, self.name), self.view.times)

    @cached_property
    def _spreads(self) -> Sums:
        history, view = self.view.history, self.view
        grid, leading = (
            np.where(look(history.n, self.name) > 1, look(history.std, self.name), np.nan)
            for look in (view.column, view.leading)
        )
        return Sums(grid, leading, view.times)

    @cached_property
    def _lowest(self) -> Extremes:
        return Extremes(self._near(self.view.history.min))

    @cached_property
    def _highest(self) -> Extremes:
        return Extremes(-self._near(self.view.history.max))

    def mean_between(self, back: int, until: int) -> Floats:
        return self.view.unknown() if self.absent else self._sums.mean(self.view.window(back, until))

    def mean(self, feature: Feature) -> Floats:
        return self._sums.mean(self._window(feature))

    def deviation(self, feature: Feature) -> Floats:
        return self._sums.deviation(self._window(feature))

    def slope(self, feature: Feature) -> Floats:
        return self._sums.slope(self._window(feature)) * (HOUR / self.view.history.bucket_seconds)

    def min(self, feature: Feature) -> Floats:
        return self._lowest.min(self._window(feature))

    def max(self, feature: Feature) -> Floats:
        return -self._highest.min(self._window(feature))

    def last(self, feature: Feature) -> Floats:
        return last_known(self._near(self.view.history.last), self._window(feature))

    def spread(self, feature: Feature) -> Floats:
        return self._spreads.mean(self._window(feature))

    @cached_property
    def _baseline(self) -> tuple[Floats, Floats]:
        view = self.view
        return view.past.baseline(self.name).at(view.machine, view.rows.locate(view.machine, view.end))

    def baseline_difference(self, feature: Feature) -> Floats:
        return self.mean(feature) - self._baseline[0]

    def baseline_deviations(self, feature: Feature) -> Floats:
        return self.baseline_difference(feature) / self._baseline[1]

    @cached_property
    def _usual(self) -> Floats:
        view = self.view
        return view.past.medians(self.name).at(view.machine, view.end)

    def to_usual(self, feature: Feature) -> Floats:
        """Unknown where the usual level is not above zero, as in a freezer: a ratio says nothing."""
        return share(self.mean(feature), self._usual.clip(0))

    def load(self, feature: Feature) -> Floats:
        rated = self.view.history.machines["rated_current_a"].to_numpy(dtype=float)
        return share(self.mean(feature), np.nan_to_num(rated)[self.view.machine])

    def vibration_per_current(self, feature: Feature) -> Floats:
        current = Channel(self.view, CURRENT)
        return self.view.unknown() if current.absent else share(self.mean(feature), current.mean(feature))

    @property
    def _counter(self) -> Counter:
        return self.view.past.counter(self.name)

    def increase(self, feature: Feature) -> Floats:
        return self._counter.increase(self.view.machine, self.view.end, window_of(feature))

    def running_hours(self, feature: Feature) -> Floats:
        return self._counter.at(self.view.machine, self.view.end)

    def running_hours_since_service(self, feature: Feature) -> Floats:
        at, found = self.view.happenings("service", None).last()
        then = self._counter.at(self.view.machine, at // self.view.history.bucket_seconds)
        return np.where(found, (self.running_hours(feature) - then).clip(0), np.nan)

    def _window(self, feature: Feature) -> Window:
        return self.view.window(window_of(feature))

    KINDS: ClassVar[dict[str, Callable[[Channel, Feature], Floats]]] = {
        "mean": mean,
        "deviation": deviation,
        "slope": slope,
        "min": min,
        "max": max,
        "last": last,
        "spread": spread,
        "baseline_difference": baseline_difference,
        "baseline_deviations": baseline_deviations,
        "to_usual": to_usual,
        "load": load,
        "vibration_per_current": vibration_per_current,
        "increase": increase,
        "running_hours": running_hours,
        "running_hours_since_service": running_hours_since_service,
    }
