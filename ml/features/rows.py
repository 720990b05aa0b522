"""Where a window of buckets lies among sparse rows: sorted by (machine, bucket), gaps allowed."""

from __future__ import annotations

import numpy as np

from ml.features.history import Ints


class Rows:
    """Row positions by machine and bucket. Rows are sorted by (machine, bucket) and unique."""

    def __init__(self, machine: Ints, bucket: Ints) -> None:
        self.machine, self.bucket = machine, bucket
        self.first_bucket = int(bucket.min()) if len(bucket) else 0
        self._span = int(bucket.max()) - self.first_bucket + 2 if len(bucket) else 1
        self._key = machine * self._span + (bucket - self.first_bucket)

    def __len__(self) -> int:
        return len(self.machine)

    def locate(self, machine: Ints, bucket: Ints) -> Ints:
        """The first row of that machine at or after that bucket; the end of its rows where there is none."""
        offset = (bucket - self.first_bucket).clip(0, self._span - 1)
        found: Ints = np.searchsorted(self._key, machine * self._span + offset)
        return found

    def starts(self, machines: int) -> Ints:
        """[machines + 1] where each machine's rows begin."""
        return np.searchsorted(self.machine, np.arange(machines + 1))


def concatenated(starts: Ints, stops: Ints) -> Ints:
    """The positions of many ranges [start, stop), one after the other."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths))
