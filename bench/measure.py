"""Two sides by turns, their medians and spreads, the goal; printed as a table and written as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
# Above this load a core, other programs take part of the time and the figures are marked.
BUSY_LOAD_PER_CORE = 0.5
out = Console()


@dataclass(frozen=True)
class Side:
    """One way of doing the work: `run` does it once and returns its rate, in `unit` of the comparison."""

    name: str
    run: Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """Rates of each round, ours and the peer's, and how many times faster ours has to be."""

    name: str
    what: str
    unit: str
    goal: float
    ours: str
    peer: str
    our_rates: list[float]
    peer_rates: list[float]
    load_before: float

    @property
    def ratio(self) -> float:
        return median(self.our_rates) / median(self.peer_rates)

    @property
    def ratios(self) -> list[float]:
        """Of neighbours in time, which share what else the machine was doing."""
        return [ours / peer for ours, peer in zip(self.our_rates, self.peer_rates, strict=True)]

    @property
    def busy(self) -> bool:
        return self.load_before > BUSY_LOAD_PER_CORE * (os.cpu_count() or 1)


def compare(name: str, what: str, unit: str, goal: float, ours: Side, peer: Side, rounds: int) -> Comparison:
    """A B A B ..., so that a disturbance meets both."""
    load = os.getloadavg()[0]
    our_rates, peer_rates = [], []
    for number in range(1, rounds + 1):
        out.print(f"{name}: round {number} of {rounds} ...", style="dim", highlight=False)
        our_rates.append(ours.run())
        peer_rates.append(peer.run())
    return Comparison(name, what, unit, goal, ours.name, peer.name, our_rates, peer_rates, load)


def show(found: Comparison) -> None:
    table = Table("", found.unit, "lowest", "highest", title=found.what)
    for name, rates in ((found.ours, found.our_rates), (found.peer, found.peer_rates)):
        table.add_row(name, *(f"{rate:,.0f}" for rate in (median(rates), min(rates), max(rates))))
    out.print(table)
    word = "met" if found.ratio >= found.goal else "MISSED"
    out.print(
        f"{found.ratio:.1f} times as fast (rounds {min(found.ratios):.1f} to {max(found.ratios):.1f}); "
        f"goal {found.goal:g}: {word}.",
        highlight=False,
    )
    if found.busy:
        out.print(
            f"The machine was busy before the start (load {found.load_before:.1f} on {os.cpu_count()} cores): "
            "the figures are noisy.",
            highlight=False,
        )


def write(found: Comparison, **more: object) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{found.name}.json"
    document = {
        **asdict(found),
        "ratio": found.ratio,
        "ratios": found.ratios,
        "goal_met": found.ratio >= found.goal,
        "busy": found.busy,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **more,
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
