"""The readings that every side of the ingest benchmarks is sent: an endless series, ready for the wire."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache

MACHINES = 100
# Each at 100 Hz, so that millions of readings lie within minutes and are live, as they are in a plant.
STEP_MS = 10
# Far enough that a machine's values do not repeat within a minute, few enough to be written out before the clock.
VALUES = 7919
LATE_DAYS = 30
DAY_MS = 86_400_000
# Shares no factor with the steps of a day, so that each step of the series has one of its own there.
SCATTER = 5_339_831


@dataclass(frozen=True)
class Slice:
    """Readings `first` to `first + count` of the series called `name`, which began at `start_ms` (Unix time)."""

    name: str
    start_ms: int
    first: int
    count: int
    late_share: float = 0.0

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """(machine, Unix milliseconds, number of its values). Late ones are anywhere in a day 30 days back."""
        lot, day_ms = random.Random(self.first), late_day_ms(self.start_ms)
        for number in range(self.first, self.first + self.count):
            step = number // MACHINES
            late = self.late_share and lot.random() < self.late_share
            at_ms = day_ms + step * SCATTER * STEP_MS % DAY_MS if late else self.start_ms + step * STEP_MS
            yield f"{self.name}-{number % MACHINES}", at_ms, number % VALUES


def late_day_ms(start_ms: int) -> int:
    """The day that late readings of a series are of."""
    return start_ms - start_ms % DAY_MS - LATE_DAYS * DAY_MS


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
        f'{{"machine":"{machine}","measured_at":"{_iso(at_ms)}",{tails[value]}}}' for machine, at_ms, value in rows
    )
    return f"[{','.join(written)}]"


def _lines(rows: list[tuple[str, int, int]], tails: list[str]) -> str:
    return "\n".join(f"motor,machine={machine} {tails[value]} {at_ms}" for machine, at_ms, value in rows)


@lru_cache
def _iso(at_ms: int) -> str:
    """Of machines at the same time it is asked one after the other."""
    return f"{_iso_second(at_ms // 1000)}.{at_ms % 1000:03}Z"


@cache
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache
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
