"""How time and memory of learning and scoring grow with machines, years and channels, each size in a new process.

`python -m bench.growth 1000:1:4` measures one in this process and prints it as JSON.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bench import finding
from bench.finding import Figures, Finding, Goal
from bench.measure import out
from bench.sets import history_of
from bench.taught import HORIZONS_HOURS, UNTIL
from ml.artefacts import Saved
from ml.features.history import History
from ml.jobs.moment import fleet_at
from ml.lesson import learn_risk
from ml.prediction import predict
from ml.simulate.fleet import simulate_fleet
from ml.simulate.sensors import CHANNELS, MEASURED

# Machines, years, channels.
Size = tuple[int, float, int]
HOUR = 3600
SILENT_AFTER = timedelta(hours=2)
LARGEST: Size = (1000, 1.0, 4)
MOST_GIB, MOST_MINUTES = 24.0, 30.0
STAGES = ("features and baselines s", "models s", "score s")
STATUS = Path("/proc/self/status")


def measure(sizes: Sequence[Size]) -> list[Finding]:
    found = Finding("growth", "learning and scoring: machines x years of hourly readings x channels")
    for size in sizes:
        machines, years, channels = size
        name = f"{machines} x {years:g} a x {channels}"
        out.print(f"growth: {name} ...", style="dim", highlight=False)
        figures = _in_a_new_process(size)
        if isinstance(figures, str):
            found.remarks.append(f"{name}: {figures}")
            continue
        found.add(name, figures)
        if size == LARGEST:
            found.goals = _goals(figures)
        # What a larger one ends, memory or patience, does not take these along.
        finding.write([found], "growth")
    return [found]


def _in_a_new_process(size: Size) -> Figures | str:
    """A sentence where it ended badly, such as for want of memory."""
    command = [sys.executable, "-m", "bench.growth", ":".join(f"{each:g}" for each in size)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return f"ended with {run.returncode}. {' '.join(run.stderr.strip().splitlines()[-1:])}"
    figures: Figures = json.loads(run.stdout.splitlines()[-1])
    return figures


def _goals(figures: Figures) -> list[Goal]:
    minutes = sum(figures[stage] for stage in STAGES) / 60
    return [
        Goal("GiB for a year of 1,000 machines", [figures["peak GiB"]], MOST_GIB, at_most=True),
        Goal("minutes for it", [minutes], MOST_MINUTES, at_most=True),
    ]


def measured(machines: int, years: float, channels: int) -> Figures:
    """In this process; memory counts from where the history is there as the database would have given it."""
    history = made_history(machines, round(365 * years), channels)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    history_gib = _resident_gib("VmRSS")
    told: dict[str, float] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    lesson = learn_risk(
        history, UNTIL, HORIZONS_HOURS, 0, lambda _, doing: told.setdefault(doing, time.perf_counter())
    )
    ends = [next(at for doing, at in told.items() if doing.startswith("forest")), time.perf_counter()]
    learnt = next(each for each in lesson.learnt if each.fitted.kind == "ensemble")
    saved = Saved(0, learnt.fitted, lesson.features, lesson.horizons_hours, lesson.modes, HOUR, UNTIL)
    seen = learnt.fitted.looked_at(history)
    predict(saved, seen, fleet_at(seen, UNTIL), SILENT_AFTER)
    ends.append(time.perf_counter())
    return {
        **dict(zip(STAGES, np.diff([begun, *ends]).tolist(), strict=True)),
        "CPU s": time.process_time() - cpu,
        "history GiB": history_gib,
        "peak GiB": _resident_gib("VmHWM"),
        "features": float(len(lesson.features)),
        "million rows": len(history.machine) / 1e6,
    }


def made_history(machines: int, days: int, channels: int) -> History:
    """Of the simulated fleet; every statistic has a table of its own, as from the database."""
    fleet = simulate_fleet(machines, days, UNTIL, seed=0)
    history = history_of(fleet.machines, with_more_channels(fleet.readings, channels), fleet.events, HOUR)
    return replace(history, **{name: getattr(history, name).copy() for name in ("min", "max", "last")})


def with_more_channels(readings: pd.DataFrame, channels: int) -> pd.DataFrame:
    """Those beyond the fleet's own follow them, with as much noise as they vary."""
    draw = np.random.default_rng(0)
    more = {}
    for number in range(channels - len(CHANNELS)):
        followed = readings[CHANNELS[number % MEASURED]]
        more[f"extra_{number:02}"] = followed + draw.normal(0, followed.std(), len(readings))
    return readings.assign(**more)


def _resident_gib(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    machines, years, channels = sys.argv[1].split(":")
    print(json.dumps(measured(int(machines), float(years), int(channels))))
