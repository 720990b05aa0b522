"""What a model may look at: roll-ups and events of some machines, as arrays; ml.dataset fills it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """Some machines' past. Rows are sorted by (machine, bucket) and may have gaps; nothing is filled in.

    machines: one row a machine, RangeIndex, columns `key, asset_class, rated_power_kw, rated_current_a,
        installed_at, decommissioned_at` (times are datetime64[us, UTC] or NaT).
    machine: [rows] position in `machines`.
    bucket: [rows] number of the bucket, floor(epoch seconds / bucket_seconds); it ends where the next one starts.
    n, mean, std, min, max, last: [rows, channels]; NaN (n: 0) where a channel was not seen in that bucket.
    events: columns `machine` (position), `kind, code, component` (str or None), `started_at, ended_at`
        (datetime64[us, UTC], ended_at may be NaT), sorted by (machine, started_at).
    """

    bucket_seconds: int
    machines: pd.DataFrame
    channels: tuple[str, ...]
    machine: Ints
    bucket: Ints
    n: Floats
    mean: Floats
    std: Floats
    min: Floats
    max: Floats
    last: Floats
    events: pd.DataFrame

    @property
    def width(self) -> timedelta:
        return timedelta(seconds=self.bucket_seconds)

    def only(self, machines: Ints) -> History:
        """Of the machines at these positions, which rise and are counted anew."""
        rows, events = np.isin(self.machine, machines), self.events[self.events["machine"].isin(machines)]
        return replace(
            self,
            machines=self.machines.iloc[machines].reset_index(drop=True),
            machine=np.searchsorted(machines, self.machine[rows]),
            events=events.assign(machine=np.searchsorted(machines, events["machine"])).reset_index(drop=True),
            **{name: getattr(self, name)[rows] for name in ("bucket", "n", "mean", "std", "min", "max", "last")},
        )


@dataclass(frozen=True)
class Moments:
    """Machine x time points to look from: `machine` position and `as_of` epoch seconds (int64), equal lengths."""

    machine: Ints
    as_of: Ints

    def __len__(self) -> int:
        return len(self.machine)

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> Moments:
        return Moments(self.machine[rows], self.as_of[rows])


@dataclass(frozen=True)
class Features:
    """What the builder saw at each moment, all of it before `as_of`.

    values: [moments, names] float32, NaN where unknown.
    blocks: [moments, steps, channels] float32 means of equal blocks of the longest window, oldest first; NaN where
        nothing was measured. The sequence models' input.
    """

    moments: Moments
    names: tuple[str, ...]
    values: npt.NDArray[np.float32]
    channels: tuple[str, ...]
    blocks: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.moments)

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> Features:
        return Features(self.moments.take(rows), self.names, self.values[rows], self.channels, self.blocks[rows])
