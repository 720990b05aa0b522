"""Roll-ups as one table: packed ones put in order, and newer ones put in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import numpy as np
from sqlalchemy.orm import Session

from app.settings import Settings
from ml.columnar import STATISTICS, Packed, packed_rollups
from ml.features.history import Floats, Ints

# Machine and bucket as one number that sorts like both: room for buckets of a second 544 years around 1970.
BUCKETS = 2**35
# Earlier than any reading.
EVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rollups:
    """Rows sorted by machine and bucket, channels by name. statistics [6, rows, channels] in the order of
    STATISTICS; NaN (n: 0) where a channel was not seen.
    """

    channels: tuple[str, ...]
    machine_id: Ints
    bucket: Ints
    statistics: Floats

    @classmethod
    def of(cls, packed: Sequence[Packed], bucket_seconds: int, names: Mapping[int, str]) -> Rollups:
        found = sorted({int(each) for part in packed for each in np.unique(part.channel_id)}, key=names.__getitem__)
        channels = tuple(names[each] for each in found)
        position = np.zeros(max(found, default=0) + 1, np.int64)
        position[found] = np.arange(len(found))
        keys = [_key(part.machine_id, part.start // bucket_seconds) for part in packed]
        key = np.unique(np.concatenate([np.zeros(0, np.int64), *map(np.unique, keys)]))
        table = _unseen(len(key), len(channels))
        for part, own in zip(packed, keys, strict=True):
            table[:, np.searchsorted(key, own), position[part.channel_id]] = part.statistics
        return cls(channels, key // BUCKETS, key % BUCKETS - BUCKETS // 2, table)

    @classmethod
    def read(
        cls,
        session: Session,
        settings: Settings,
        since: Mapping[int, datetime],
        until: datetime,
        names: Mapping[int, str],
    ) -> Rollups:
        """Of these machines, each from its time on, what had ended by `until`."""
        width = settings.bucket_seconds
        return cls.of(list(packed_rollups(session, since, until - settings.bucket, width)), width, names)

    @property
    def bytes(self) -> int:
        return self.machine_id.nbytes + self.bucket.nbytes + self.statistics.nbytes

    def with_newer(self, newer: Rollups) -> Rollups:
        """Rows of `newer` stand where both have one."""
        if not len(newer.bucket):
            return self
        channels = tuple(sorted({*self.channels, *newer.channels}))
        old, new = self._of(channels), newer._of(channels)
        key, own = _key(old.machine_id, old.bucket), _key(new.machine_id, new.bucket)
        stays = ~np.isin(key, own)
        if stays.all():
            place = np.searchsorted(key, own)
            return Rollups(
                channels,
                _woven(old.machine_id, place, new.machine_id),
                _woven(old.bucket, place, new.bucket),
                _woven(old.statistics, place, new.statistics, axis=1),
            )
        return old._take(stays).with_newer(new)

    def since(self, bucket: int) -> Rollups:
        """Without the rows before that bucket."""
        return self if (self.bucket >= bucket).all() else self._take(self.bucket >= bucket)

    def _take(self, rows: np.ndarray) -> Rollups:
        return Rollups(self.channels, self.machine_id[rows], self.bucket[rows], self.statistics[:, rows])

    def _of(self, channels: tuple[str, ...]) -> Rollups:
        if channels == self.channels:
            return self
        table = _unseen(len(self.bucket), len(channels))
        table[:, :, [channels.index(each) for each in self.channels]] = self.statistics
        return Rollups(channels, self.machine_id, self.bucket, table)


def _woven(old: np.ndarray, place: Ints, new: np.ndarray, axis: int = 0) -> np.ndarray:
    """What np.insert gives where places rise, with whole runs copied: a machine's newer rows come together."""
    cuts, first = np.unique(place, return_index=True)
    *before, rest = np.split(old, cuts, axis)
    runs = zip(before, np.split(new, first[1:], axis), strict=True)
    return np.concatenate([*chain.from_iterable(runs), rest], axis)


def _key(machine_id: Ints, bucket: Ints) -> Ints:
    return np.asarray(machine_id * BUCKETS + bucket + BUCKETS // 2)


def _unseen(rows: int, channels: int) -> Floats:
    table = np.full((len(STATISTICS), rows, channels), np.nan)
    table[STATISTICS.index("n")] = 0
    return table
