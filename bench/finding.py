"""What a measure found: the figures of every round by side, and how they stand to the goal; table and JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.table import Table

from bench.measure import BUSY_LOAD_PER_CORE, RESULTS, out

# The figures of one round, by name with unit.
Figures = dict[str, float]


@dataclass(frozen=True)
class Goal:
    """A figure measured in every round, and the bound that its median is to keep."""

    what: str
    values: list[float]
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        value = median(self.values)
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass
class Finding:
    """All rounds of one measure, by side."""

    name: str
    what: str
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, side: str, figures: Figures) -> None:
        self.rounds.setdefault(side, []).append(figures)

    def values(self, side: str, figure: str) -> list[float]:
        return [each[figure] for each in self.rounds[side]]

    def ratios(self, figure: str, side: str, peer: str) -> list[float]:
        """Of neighbours in time, which share what else the machine was doing."""
        pairs = zip(self.values(side, figure), self.values(peer, figure), strict=True)
        return [ours / theirs for ours, theirs in pairs]


def show(found: Finding) -> None:
    names = list(dict.fromkeys(name for rounds in found.rounds.values() for name in rounds[0]))
    table = Table("", *names, title=f"{found.name}: {found.what}")
    for side, rounds in found.rounds.items():
        table.add_row(
            side, *(_cell([each[name] for each in rounds]) if name in rounds[0] else "" for name in names)
        )
    out.print(table)
    for goal in found.goals:
        out.print(
            f"{goal.what}: {median(goal.values):.3g} (rounds {min(goal.values):.3g} to {max(goal.values):.3g}); "
            f"goal at {'most' if goal.at_most else 'least'} {goal.bound:g}: {'met' if goal.met else 'MISSED'}.",
            highlight=False,
        )
    for remark in found.remarks:
        out.print(remark, highlight=False)
    if found.load_before > BUSY_LOAD_PER_CORE * (os.cpu_count() or 1):
        out.print(f"The machine was busy before the start: load {found.load_before:.1f}.", highlight=False)
    out.print()


def _cell(values: Sequence[float]) -> str:
    """Median and range."""
    number = "{:,.0f}".format if median(values) >= 100 else "{:.3g}".format
    middle = number(median(values))
    return middle if len(values) == 1 else f"{middle}\n{number(min(values))}-{number(max(values))}"


def write(found: Sequence[Finding], name: str, **more: object) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    measures = [
        {**asdict(each), "goals": [{**asdict(goal), "met": goal.met} for goal in each.goals]} for each in found
    ]
    document = {"cores": os.cpu_count(), "python": platform.python_version(), **more, "measures": measures}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
