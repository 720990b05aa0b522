"""The readings that every side of the ingest benchmarks is sent: an endless series, ready for the wire."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

MACHINES = 100  # each at 1 Hz
# Far enough that a machine's values do not repeat within an hour, few enough to be written out before the clock.
VALUES = 7919
LATE_SECONDS = 30 * 86_400
LATE_SPREAD_SECONDS = 86_400


@dataclass(frozen=True)
class Slice:
    """Readings `first` to `first + count` of the series called `name`, which began at `start` (Unix seconds)."""

    name: str
    start: int
    first: int
    count: int
    late_share: float = 0.0

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """(machine, Unix second, number of its values). Late ones lie 30 days back, in no order, none twice."""
        lot = random.Random(self.first)
        late_by = LATE_SECONDS - LATE_SECONDS % LATE_SPREAD_SECONDS
        for number in range(self.first, self.first + self.count):
            second = self.start + number // MACHINES
            if self.late_share and lot.random() < self.late_share:
                second = _shuffled(second) - late_by
            yield f"{self.name}-{number % MACHINES}", second, number % VALUES


def _shuffled(second: int) -> int:
    """Another second of the same day, a different one for each: 1009 and the seconds of a day share no factor."""
    day = second - second % LATE_SPREAD_SECONDS
    return day + second % LATE_SPREAD_SECONDS * 1009 % LATE_SPREAD_SECONDS


def requests(head: str, form: str, piece: Slice, readings_a_request: int) -> list[bytes]:
    """Whole HTTP requests, head and body."""
    rows, tails = list(piece.rows()), _tails(form)
    write = _json if form == "json" else _lines
    return [
        _request(head, write(rows[at : at + readings_a_request], tails))
        for at in range(0, len(rows), readings_a_request)
    ]


def _request(head: str, body: str) -> bytes:
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _json(rows: list[tuple[str, int, int]], tails: list[str]) -> str:
    written = (
        f'{{"machine":"{machine}","measured_at":"{_iso(second)}",{tails[value]}}}'
        for machine, second, value in rows
    )
    return f"[{','.join(written)}]"


def _lines(rows: list[tuple[str, int, int]], tails: list[str]) -> str:
    return "\n".join(f"motor,machine={machine} {tails[value]} {second}" for machine, second, value in rows)


@cache
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _tails(form: str) -> list[str]:
    """The four channels as they are written in JSON or in line protocol."""
    pattern = (
        '"temperature_c":{},"vibration_mm_s":{},"current_a":{},"runtime_hours":{}'
        if form == "json"
        else "temperature_c={},vibration_mm_s={},current_a={},runtime_hours={}"
    )
    return [
        pattern.format(60 + n * 7 % 97 / 10, 2 + n * 3 % 89 / 100, 10 + n % 83 / 10, 1000 + n / 10)
        for n in range(VALUES)
    ]
