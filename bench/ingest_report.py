"""What the ingest benchmarks found, as tables and as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.table import Table

from bench.ingest import Compared
from bench.measure import RESULTS, out
from bench.target import Run


def show(found: Compared) -> None:
    title = f"{found.shape.name}: durable ingest over HTTP, {found.shape.what}"
    table = Table("", "readings/s", "range", "CPU s/M", "sender", "Wearwatch is", "goal", title=title)
    ours = next(iter(found.runs.values()))
    for name, runs in found.runs.items():
        rates = [run.rate for run in runs]
        table.add_row(
            name,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{median(run.cpu_seconds_a_million for run in runs):.1f}",
            f"{median(run.sender_cpu_seconds * 1e6 / run.readings for run in runs):.1f}",
            "" if runs is ours else f"{ratio(ours, runs):.2f} x",
            _goal(found, name),
        )
    out.print(table)


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    return median(run.rate for run in ours) / median(run.rate for run in theirs)


def _goal(found: Compared, name: str) -> str:
    goal = found.shape.goals.get(name)
    if goal is None:
        return ""
    ours = next(iter(found.runs.values()))
    return f"{goal:g} x {'met' if ratio(ours, found.runs[name]) >= goal else 'MISSED'}"


def write(all_found: list[Compared], started_at: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "ingest.json"
    document = {
        "started_at": started_at,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "measures": [asdict(found) for found in all_found],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
