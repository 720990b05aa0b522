"""P1 to P7 and P16: durable ingest over HTTP, `wearwatch serve` against InfluxDB and the textbook endpoint.

All sides get the same readings, run at once on one machine and are measured by turns; at the end everything that
was acknowledged must be stored. CPU seconds stand beside the rates: they say the same on a busy machine.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from app.embedded import start_embedded
from bench import history, influx, latency, rates, services
from bench.finding import Finding
from bench.target import Target
from bench.training import training

MEASURES = ("P1", "P2", "P3", "P6", "P5", "P16", "P7")


@dataclass(frozen=True)
class Plan:
    """What to measure.

    `processes`: of the service, a side for each number; `stored`: readings that P7 fills in, `packed` or as rows.
    """

    only: Sequence[str]
    rounds: int
    seconds: float
    processes: Sequence[int]
    stored: int
    packed: bool


@dataclass
class Sides:
    """Who is measured; they run until the stack is left."""

    folder: Path
    url: URL
    stack: ExitStack
    all: list[Target] = field(default_factory=list)

    def start(self, side: AbstractContextManager[Target]) -> Target:
        target = self.stack.enter_context(side)
        self.all.append(target)
        return target


def measure(plan: Plan) -> Iterator[Finding]:
    """Findings as they come. Raises RuntimeError where anything acknowledged is not stored."""
    folder = Path(tempfile.mkdtemp(prefix="wearwatch-bench-"))
    # Registered before PostgreSQL's own farewell, and so called after it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with ExitStack() as stack:
        sides = Sides(folder, start_embedded(folder), stack)
        ours = [sides.start(services.wearwatch(sides.url, folder, plan.processes[0]))]
        for more in plan.processes[1:]:
            url = services.new_database(sides.url, f"processes_{more}")
            ours.append(sides.start(services.wearwatch(url, folder, more)))
        peers = [sides.start(influx.influx(folder))] if influx.installed() else []
        if {"P1", "P3"} & set(plan.only):
            peers.append(sides.start(services.textbook(sides.url, folder)))
        for name in MEASURES:
            if name in plan.only:
                yield from _measure(name, plan, sides, ours, peers)
        for target in sides.all:
            target.check_stored()


def _measure(name: str, plan: Plan, sides: Sides, ours: Sequence[Target], peers: Sequence[Target]) -> list[Finding]:
    rounds, seconds = plan.rounds, plan.seconds
    if name == "P5":
        others = [*ours[1:], *(peer for peer in peers if peer.name == influx.NAME)]
        return latency.at_half_rate([ours[0], *others], rounds, seconds)
    if name == "P6":
        return [rates.twice(ours[0], rounds, seconds)]
    if name == "P7":
        full_url = services.new_database(sides.url, "p7_full")
        full = sides.start(services.wearwatch(full_url, sides.folder, plan.processes[0], "Wearwatch, full"))
        empty_url = services.new_database(sides.url, "p7_empty")
        empty = sides.start(services.wearwatch(empty_url, sides.folder, plan.processes[0], "Wearwatch, empty"))
        history.fill(full, full_url, plan.stored, packed=plan.packed)
        words = f"{plan.stored:,} {'packed' if plan.packed else 'stored'}"
        return [history.compare(empty, full, words, rounds, seconds)]
    if name == "P16":
        with training(sides.folder) as trained:
            return latency.while_training(ours[0], trained, rounds, seconds)
    return rates.compare(name, ours, peers, rounds, seconds)
