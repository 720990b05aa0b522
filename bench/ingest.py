"""P1 to P7 and P16: durable ingest over HTTP, `wearwatch serve` against InfluxDB and the textbook endpoint.

One parametrised comparison: every measure is a shape of load, sent to all sides by turns, A B C A B C.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded import start_embedded
from bench import influx, services
from bench.measure import out
from bench.target import Run, Target

# The series begins so long ago: within a day, as of gateways that are somewhat behind, and never in the future.
BEGUN_SECONDS_AGO = 12 * 3600
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Shape:
    """How the readings come, and how many times faster than each peer they are to be taken."""

    name: str
    what: str
    readings_a_request: int
    connections: int
    goals: dict[str, float]
    first_requests: int


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("P1", "1,000 readings a request, 4 connections", 1_000, 4, {"InfluxDB": 1.5, "textbook": 8}, 24),
        Shape("P2", "100 readings a request, 16 connections", 100, 16, {"InfluxDB": 1.3}, 160),
        Shape("P3", "one reading a request, 64 connections", 1, 64, {"InfluxDB": 1.0, "textbook": 10}, 640),
    )
}


@dataclass
class Compared:
    """All rounds of a shape, by side; our side is the first."""

    shape: Shape
    load_before: float
    runs: dict[str, list[Run]] = field(default_factory=dict)


def compare(shape: Shape, targets: Sequence[Target], rounds: int, seconds: float) -> Compared:
    """Each run is as long as the one before it lets expect; the first of each side is not counted."""
    found = Compared(shape, os.getloadavg()[0], {target.name: [] for target in targets})
    start = int(time.time()) - BEGUN_SECONDS_AGO
    rate = {target.name: _send(target, shape, start, shape.first_requests).rate for target in targets}
    for target in targets:
        rate[target.name] = _send(target, shape, start, _requests(shape, rate[target.name], WARM_UP_SECONDS)).rate
    for number in range(1, rounds + 1):
        out.print(f"{shape.name}: round {number} of {rounds} ...", style="dim", highlight=False)
        for target in targets:
            run = _send(target, shape, start, _requests(shape, rate[target.name], seconds))
            rate[target.name] = run.rate
            found.runs[target.name].append(run)
    for target in targets:
        target.check_stored()
    return found


def _requests(shape: Shape, rate: float, seconds: float) -> int:
    return max(shape.connections, round(rate * seconds / shape.readings_a_request))


def _send(target: Target, shape: Shape, start: int, requests: int) -> Run:
    piece = target.next(shape.name.lower(), start, requests * shape.readings_a_request)
    return target.send(piece, shape.readings_a_request, shape.connections)


def measure(only: Sequence[str], rounds: int, seconds: float, processes: Sequence[int]) -> list[Compared]:
    folder = Path(tempfile.mkdtemp(prefix="wearwatch-bench-"))
    # Registered before PostgreSQL's own farewell, and so called after it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = start_embedded(folder)
    with ExitStack() as stack:
        ours = [stack.enter_context(services.wearwatch(url, folder, each)) for each in processes]
        peers = [stack.enter_context(services.textbook(url, folder))]
        if influx.installed():
            peers.insert(0, stack.enter_context(influx.influx(folder)))
        return [
            compare(shape, [*ours, *(each for each in peers if each.name in shape.goals)], rounds, seconds)
            for name, shape in SHAPES.items()
            if name in only
        ]
