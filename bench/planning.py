"""P18: schedules of plants drawn at random against the riskiest first, and against CP-SAT left to itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from ortools.sat.python import cp_model

from app.planning.framing import Framed, framed
from app.planning.greedy import best_start, by_risk
from app.planning.pricing import CENTS
from app.planning.problem import Problem
from bench.finding import Figures, Finding, Goal
from bench.measure import out
from bench.plants import plant
from ml.planning.model import Model
from ml.planning.scheduler import schedule

SECONDS = 20.0
MOST_OF_GREEDY, MOST_GAP = 0.9, 0.02
# Which risk calls for a service is a plant's own choice; greedy is given the best of these in hindsight.
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.35, 0.5)
CORES = 2


def measure(rounds: int) -> list[Finding]:
    found = Finding("P18", f"500 machines x 28 windows x 6 crews, {rounds} plants, cost until the plan's end")
    for number in range(1, rounds + 1):
        out.print(f"P18: plant {number} of {rounds} ...", style="dim", highlight=False)
        _compare(found, plant(500, 28, 6, number))
    found.goals = [
        Goal(
            "of greedy by risk", found.ratios("cost", "Wearwatch", "greedy by risk"), MOST_OF_GREEDY, at_most=True
        ),
        Goal("proven gap", found.values("Wearwatch", "gap"), MOST_GAP, at_most=True),
        Goal("seconds", found.values("Wearwatch", "s"), SECONDS, at_most=True),
    ]
    found.remarks = [
        f"Greedy by risk: the riskiest first, in the first window with room, from the best of {len(THRESHOLDS)} "
        "thresholds in hindsight. And money: only where a service costs less than none.",
        f"CP-SAT alone: all options at once, {CORES} workers, its own settings, from the same start.",
    ]
    return [found, _large()]


def _compare(found: Finding, problem: Problem) -> None:
    asked = framed(problem)
    found.add("Wearwatch", _ours(problem))
    found.add("greedy by risk", {"cost": min(_greedy(asked, threshold) for threshold in THRESHOLDS)})
    money = by_risk(asked.choices, asked.prices.left_risk)
    found.add("greedy by risk and money", {"cost": asked.choices.total(money) / CENTS})
    found.add("CP-SAT alone", _alone(asked))


def _large() -> Finding:
    found = Finding("planning-large", "5,000 machines x 28 windows x 60 crews")
    out.print("P18: 5,000 machines ...", style="dim", highlight=False)
    found.add("Wearwatch", _ours(plant(5_000, 28, 60)))
    found.goals = [Goal("seconds", found.values("Wearwatch", "s"), SECONDS, at_most=True)]
    return found


def _ours(problem: Problem) -> Figures:
    start, used = time.perf_counter(), time.process_time()
    made = schedule(problem, SECONDS)
    took = time.perf_counter() - start
    figures = {"cost": made.cost, "bound": made.bound, "gap": made.gap, "services": len(made.services)}
    return figures | {"s": took, "CPU s": time.process_time() - used}


def _alone(asked: Framed) -> Figures:
    """Where it finds nothing in time, its start and no bound."""
    start, solver = best_start(asked.choices), cp_model.CpSolver()
    model = Model(asked.choices, start)
    solver.parameters.num_workers = CORES
    solver.parameters.max_time_in_seconds = SECONDS
    used = time.process_time()
    cost, bound = asked.choices.total(start) / CENTS, 0.0
    if solver.solve(model.cp) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        cost, bound = solver.objective_value / CENTS, solver.best_objective_bound / CENTS
    figures = {"cost": cost, "bound": bound, "gap": (cost - bound) / cost}
    return figures | {"s": solver.wall_time, "CPU s": time.process_time() - used}


@dataclass
class _Booked:
    """What greedy has given away, in the plant's own terms."""

    minutes: Counter[tuple[int, int]] = field(default_factory=Counter)
    down: Counter[tuple[str | None, int]] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    setups: set[tuple[str, int]] = field(default_factory=set)


def _greedy(asked: Framed, threshold: float) -> float:
    """What it costs to service every machine from this risk on, the riskiest first, as early as there is room."""
    risk, booked = asked.prices.left_risk, _Booked()
    cents = 0
    for job in np.argsort(-risk, kind="stable"):
        place = next(_places(asked, int(job), booked), None) if risk[job] >= threshold else None
        if place is None:
            cents += int(asked.prices.left[job])
            continue
        _book(asked.problem, int(job), place, booked)
        cents += int(asked.prices.service[job, place[0]])
    costs = {each.key: each.cost for each in asked.problem.setups}
    return cents / CENTS + sum(costs[key] for key, _ in booked.setups)


def _places(asked: Framed, number: int, booked: _Booked) -> Iterator[tuple[int, int]]:
    """Windows by date and crews that have room."""
    problem, job = asked.problem, asked.problem.jobs[number]
    most_down = {each.key: each.most_down for each in problem.lines}
    for window, crew in np.argwhere(asked.doable[number]).tolist():
        span = asked.windows[window].span
        free = problem.crews[crew].minutes(span) - booked.minutes[window, crew]
        early = [each for each in problem.parts if span.start < problem.now + each.lead_time]
        there = all(booked.parts[each.key] + job.parts.get(each.key, 0) <= each.stock for each in early)
        if free >= job.minutes and there and booked.down[job.line, window] < most_down[job.line or ""]:
            yield window, crew


def _book(problem: Problem, number: int, place: tuple[int, int], booked: _Booked) -> None:
    job, window = problem.jobs[number], place[0]
    booked.minutes[place] += job.minutes
    booked.down[job.line, window] += 1
    booked.parts.update(job.parts)
    if job.setup is not None:
        booked.setups.add((job.setup, window))
