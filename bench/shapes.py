"""How readings come: the three shapes of load, and runs of a given length of any of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench.finding import Figures
from bench.series import Slice
from bench.target import Run, Target

# The series begins so long ago: what comes in the next minutes is neither late nor of the future.
BEGUN_MINUTES_AGO = 12
WARM_UP_SECONDS = 1.0
# The slowest side does this many in a second or two.
FIRST_READINGS = {1_000: 24_000, 100: 16_000, 1: 640}


@dataclass(frozen=True)
class Shape:
    readings_a_request: int
    connections: int

    @property
    def words(self) -> str:
        readings = f"{self.readings_a_request:,} readings" if self.readings_a_request > 1 else "one reading"
        return f"{readings} a request, {self.connections} connections"


LARGE, MIDDLE, SINGLE = Shape(1_000, 4), Shape(100, 16), Shape(1, 64)


def begun_ms() -> int:
    return (int(time.time()) - BEGUN_MINUTES_AGO * 60) * 1000


@dataclass
class Drive:
    """Sends ever new readings of one series to one target; each run is as long as the last lets expect."""

    target: Target
    shape: Shape
    series: str
    late_share: float = 0.0
    rate: float = 0.0
    last: Slice | None = None
    start_ms: int = field(default_factory=begun_ms)

    def warm_up(self) -> None:
        self._send(FIRST_READINGS[self.shape.readings_a_request])
        self.run(WARM_UP_SECONDS)

    def run(self, seconds: float) -> Run:
        return self._send(round(self.rate * seconds))

    def again(self) -> Run:
        """What was sent last, once more."""
        if not self.last:
            raise RuntimeError("Nothing was sent yet.")
        return self.target.send(self.last, self.shape.readings_a_request, self.shape.connections, again=True)

    def open_loop(self, readings_a_second: float, seconds: float) -> Run:
        """Requests on a fixed schedule, however long the answers take."""
        requests_a_second = readings_a_second / self.shape.readings_a_request
        return self._send(round(readings_a_second * seconds), requests_a_second)

    def _send(self, readings: int, requests_a_second: float = 0.0) -> Run:
        size, connections = self.shape.readings_a_request, self.shape.connections
        count = max(connections, round(readings / size)) * size
        self.last = self.target.next(self.series, self.start_ms, count, self.late_share)
        run = self.target.send(self.last, size, connections, requests_a_second)
        if not requests_a_second:
            self.rate = run.rate
        return run


def cost(run: Run) -> Figures:
    """CPU seconds are those of a million readings."""
    a_million = 1e6 / run.readings
    database = {"in PostgreSQL": run.database_cpu_seconds * a_million} if run.database_cpu_seconds else {}
    return {
        "readings/s": run.rate,
        "CPU s/M": run.cpu_seconds * a_million,
        **database,
        "sender": run.sender_cpu_seconds * a_million,
    }


def latency(run: Run) -> Figures:
    """In milliseconds from the scheduled time of each request to its acknowledgement."""
    at = run.latencies_ms
    return {
        "requests/s": run.requests / run.seconds,
        "p50 ms": at[len(at) // 2],
        "p99 ms": at[len(at) * 99 // 100],
        "worst ms": at[-1],
    }
