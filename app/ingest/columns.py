"""Readings as columns: the one form in which HTTP requests and files reach the checks and the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from app.ingest.tables import CORE_CHANNELS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Extra = dict[str, float]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000
MICROSECOND = timedelta(microseconds=1)
FIRST_US = (datetime(1, 1, 2, tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_US = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class Columns:
    """Readings, one a row.

    machine: keys as sent. measured_us: [rows] microseconds since 1970 in UTC.
    values: [rows, 4] the named channels in the order of CORE_CHANNELS; NaN where not measured.
    extra: every other channel, None where there is none.
    """

    machine: list[str]
    measured_us: Ints
    values: Floats
    extra: list[Extra | None]

    def __len__(self) -> int:
        return len(self.machine)

    def take(self, rows: Ints) -> Columns:
        return Columns(
            [self.machine[row] for row in rows],
            self.measured_us[rows],
            self.values[rows],
            [self.extra[row] for row in rows],
        )

    def as_json(self, row: int) -> str:
        """One row as it could have been sent."""
        measured_at = EPOCH + timedelta(microseconds=int(self.measured_us[row]))
        reading: dict[str, object] = {"machine": self.machine[row], "measured_at": measured_at.isoformat()}
        named = zip(CORE_CHANNELS, self.values[row].tolist(), strict=True)
        reading |= {channel: value for channel, value in named if value == value}
        return json.dumps(reading | ({"extra": self.extra[row]} if self.extra[row] else {}))


@lru_cache(maxsize=1024)
def in_order(count: int) -> Ints:
    """0, 1, ... count - 1; shared, so it cannot be written to."""
    places = np.arange(count)
    places.flags.writeable = False
    return places


NO_ROWS = Columns([], np.empty(0, np.int64), np.empty((0, len(CORE_CHANNELS))), [])


def join(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        [key for part in parts for key in part.machine],
        np.concatenate([part.measured_us for part in parts]),
        np.concatenate([part.values for part in parts]),
        [extra for part in parts for extra in part.extra],
    )


def to_time(microseconds: int) -> datetime:
    """Microseconds since 1970 -> a time in UTC."""
    return EPOCH + microseconds * MICROSECOND


def to_microseconds(times: Sequence[datetime]) -> Ints:
    """Aware times -> microseconds since 1970, exactly until the year 2106.

    From then on a float of seconds is some microseconds off; every later check refuses times of the future. What a
    zone carries out of the years 1 to 9999 is kept just inside, where those checks refuse it too.
    """
    seconds = np.fromiter(map(datetime.timestamp, times), np.float64, len(times))
    exact: Ints = np.rint(seconds * MICROSECONDS).astype(np.int64)
    return np.clip(exact, FIRST_US, LAST_US)
