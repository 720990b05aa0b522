"""What a chart is made of: points that stand for many readings, put together into fewer; the extremes survive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from app.ingest.columns import Floats, Ints

SECOND_US = 1_000_000


class Points(NamedTuple):
    """Columns of equal length: when the span of a point begins, how many readings it has, and what they were."""

    t_us: Ints
    n: Floats
    mean: Floats
    min: Floats
    max: Floats

    def take(self, rows: npt.NDArray[np.bool_ | np.intp]) -> Points:
        return Points(self.t_us[rows], self.n[rows], self.mean[rows], self.min[rows], self.max[rows])


class Grid(NamedTuple):
    """Bins of one width; a point belongs to the bin in which it begins."""

    origin_us: int
    step_us: int


def joined(parts: Sequence[Points]) -> Points:
    return Points(
        np.concatenate([part.t_us for part in parts]),
        np.concatenate([part.n for part in parts]),
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.min for part in parts]),
        np.concatenate([part.max for part in parts]),
    )


def thinned(points: Points, grid: Grid) -> Points:
    """One point a bin, named by the bin's begin; a mean weighs its readings."""
    t_us, n, mean, low, high = points.take(np.argsort(points.t_us, kind="stable"))
    bins = (t_us - grid.origin_us) // grid.step_us
    first = np.flatnonzero(np.diff(bins, prepend=bins[:1] - 1))
    if len(first) == len(bins):
        return Points(bins * grid.step_us + grid.origin_us, n, mean, low, high)
    total = np.add.reduceat(n, first)
    smallest, largest = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    # Rounding must not carry a mean beyond the extremes.
    middle = np.clip(np.add.reduceat(n * mean, first) / total, smallest, largest)
    return Points(bins[first] * grid.step_us + grid.origin_us, total, middle, smallest, largest)


def as_json(machine: str, start_us: int, end_us: int, source: str, channels: dict[str, Points]) -> bytes:
    """The answer of MachineReadings, without an object a point."""
    written: dict[bytes, list[str]] = {}
    series = {}
    for channel in sorted(channels):
        points = channels[channel]
        # Channels mostly share their times, and writing a time takes longer than writing a number.
        key = points.t_us.tobytes()
        t = written[key] = written.get(key) or _times(points.t_us)
        series[channel] = {"t": t, "mean": points.mean.tolist(), "min": points.min.tolist()}
        series[channel]["max"] = points.max.tolist()
    start, end = _times(np.array([start_us, end_us]))
    return msgspec.json.encode({"machine": machine, "from": start, "to": end, "source": source, "channels": series})


def _times(t_us: Ints) -> list[str]:
    times = t_us.astype("datetime64[us]")
    written = np.datetime_as_string(times) if (t_us % SECOND_US).any() else np.datetime_as_string(times, unit="s")
    return [f"{time}Z" for time in written.tolist()]
