"""Does it pay: the same simulated plants, whose wear answers to what is done, live on under each policy.

Every policy sees readings and events so far and nothing else, has the same crews and notice, and its machines the
same hidden lives until it decides otherwise. Wearwatch learnt on the past of another plant. Intervals, limits and
thresholds of its peers are the cheapest of a grid on plants that judge nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from joblib import Parallel, delayed
from scipy import stats

from bench.finding import Figures, Finding, Goal
from bench.loop.asking import Ask, RiskiestFirst, Wearwatch
from bench.loop.diary import SERVICE_HOURS
from bench.loop.knowing import learn
from bench.loop.life import Plant, Policy, lived, repair_hours
from bench.loop.rules import FixedInterval, RunToFailure, VibrationLimit
from bench.measure import out

DAYS_A_YEAR = 365
# The past that is learnt from: half a year run to failure, half a year of whole services every quarter.
FAILING_DAYS, SERVICED_DAYS, QUARTER = 182, 183, FixedInterval(91)
# The past of the plants that are judged, part by part on their own calendar; machines have a normal by then.
BEFORE_DAYS = 90
TAUGHT_SEED, FIRST_TUNING_SEED = 1000, 2000
# One service a weekday and crew: enough for the shortest interval of the grid.
MACHINES_A_CREW = 40
INTERVALS = tuple(FixedInterval(days) for days in (50, 65, 80, 95, 115)) + tuple(
    FixedInterval(days, since_any=True) for days in (30, 45, 65)
)
LIMITS = tuple(VibrationLimit(zone_end) for zone_end in ("B/C", "C/D"))
THRESHOLDS = (0.05, 0.1, 0.2, 0.35)
OURS, FAILING, FIXED, ISO, GREEDY = (
    "Wearwatch",
    "run to failure",
    "best fixed interval",
    "ISO vibration limit",
    "riskiest first",
)
MOST_OF_DOWNTIME, MOST_OF_COST = 0.7, 0.75
COMPARED = ("downtime h", "cost")


@dataclass(frozen=True)
class Task:
    name: str
    policy: Policy
    plant: Plant
    seed: int
    days: int


def measure(machines: int, years: float, seeds: int, taught: int | None = None) -> list[Finding]:
    """`taught`: machines of the plant that is learnt from, as many as each judged plant has unless told."""
    days = round(years * DAYS_A_YEAR)
    taught = taught or machines
    ask, repairs = _taught(taught)
    chosen = _tuned(ask, machines) | {OURS: Wearwatch(ask, repairs)}
    found = Finding("downtime", f"{machines} machines, {years:g} years, {seeds} plants; a machine and year")
    found.remarks.append(f"Learnt from a year of {taught} machines.")
    plants = {seed: _plant(machines, seed, BEFORE_DAYS) for seed in range(1, seeds + 1)}
    tasks = [Task(name, policy, plants[seed], seed, days) for seed in plants for name, policy in chosen.items()]
    told = _all(tasks, "judging")
    for name in chosen:
        for seed in plants:
            found.add(name, told[name, seed])
    _compare(found)
    found.remarks += [f"{name}: {chosen[name]}." for name in (FIXED, ISO)]
    found.remarks.append(f"{GREEDY}: from a risk of {chosen[GREEDY].threshold:g} within 7 days on.")
    return [found]


def _plant(machines: int, seed: int, days: int) -> Plant:
    plant = Plant.new(machines, seed)
    plant.live_as_before(days)
    return plant


def _taught(machines: int) -> tuple[Ask, dict[str, float]]:
    """A model learnt on another plant's past, and by class how long its repairs took."""
    out.print("downtime: learning from a year of another plant ...", style="dim", highlight=False)
    plant = Plant.new(machines, TAUGHT_SEED)
    lived(plant, RunToFailure(), _crews(machines), FAILING_DAYS)
    lived(plant, QUARTER, _crews(machines), SERVICED_DAYS)
    return learn(plant.seen), repair_hours(plant)


def _tuned(ask: Ask, machines: int) -> dict[str, Policy]:
    """Of each kind of peer the cheapest on a plant that judges nobody."""
    grids: dict[str, Sequence[Policy]] = {
        FAILING: (RunToFailure(),),
        FIXED: INTERVALS,
        ISO: LIMITS,
        GREEDY: tuple(RiskiestFirst(ask, threshold) for threshold in THRESHOLDS),
    }
    plant = _plant(machines, FIRST_TUNING_SEED, BEFORE_DAYS)
    tasks = [
        Task(name, policy, plant, number, DAYS_A_YEAR)
        for name, grid in grids.items()
        if len(grid) > 1
        for number, policy in enumerate(grid)
    ]
    told = _all(tasks, "tuning")
    return {
        name: min(zip(count(), grid), key=lambda each: told[name, each[0]]["cost"])[1] if len(grid) > 1 else grid[0]
        for name, grid in grids.items()
    }


def _all(tasks: Sequence[Task], doing: str) -> dict[tuple[str, int], Figures]:
    """By name and seed, on all cores."""
    told = {}
    work = Parallel(n_jobs=-1, return_as="generator_unordered")(delayed(_lived)(each) for each in tasks)
    for done, (name, seed, figures) in enumerate(work, 1):
        told[name, seed] = figures
        words = ", ".join(f"{figure} {value:.4g}" for figure, value in figures.items())
        out.print(f"downtime: {doing} {done} of {len(tasks)}: {name} {seed}: {words}", style="dim", highlight=False)
    return told


def _lived(task: Task) -> tuple[str, int, Figures]:
    plant = task.plant.copy()
    ledger = lived(plant, task.policy, _crews(len(plant.seen.machines)), task.days)
    return task.name, task.seed, ledger.figures(plant, task.days / DAYS_A_YEAR)


def _crews(machines: int) -> int:
    return -(-machines // MACHINES_A_CREW)


def _compare(found: Finding) -> None:
    """With the better of the two that need no sensor, by what they cost on all plants."""
    plain = min((FAILING, FIXED), key=lambda name: np.mean(found.values(name, "cost")))
    for figure, bound in zip(COMPARED, (MOST_OF_DOWNTIME, MOST_OF_COST), strict=True):
        found.goals.append(Goal(f"{figure} of {plain}", found.ratios(figure, OURS, plain), bound, at_most=True))
    for peer in (GREEDY, ISO):
        for figure in COMPARED:
            found.goals.append(Goal(f"{figure} of {peer}", found.ratios(figure, OURS, peer), 1.0, at_most=True))
    found.remarks += [f"{goal.what}: mean {_interval(goal.values)}." for goal in found.goals]
    found.remarks.append(
        f"A failure costs failure_cost, a service preventive_cost and {SERVICE_HOURS} h; each hour of production"
        " lost costs downtime_cost_per_hour."
    )


def _interval(values: Iterable[float]) -> str:
    """The mean over plants with its 95 % interval (Student's t)."""
    values = np.array(list(values))
    if len(values) < 2:
        return f"{values.mean():.3f}, of one plant"
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f}, 95 % interval {values.mean() - half:.3f} to {values.mean() + half:.3f}"
