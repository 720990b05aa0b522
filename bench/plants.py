"""Plants that are planned for: machines with wear, costs and needs drawn at random, the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from app.planning.machine_costs import MachineCosts
from app.planning.problem import Crew, Job, Line, Part, Problem, Setup, Span, Window
from app.risk.curve import make_curve

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HORIZONS_HOURS = np.array([24.0, 72.0, 168.0, 336.0, 720.0])
MACHINES_A_LINE, MOST_DOWN = 25, 3
SKILLS = ("mechanical", "electrical")
PARTS = ("bearing 6204", "bearing 6310", "coupling", "fan", "winding kit")
# A machine fails about every four years and is serviced every year.
FAILURES_PER_HOUR, SERVICES_PER_HOUR = 1 / (4 * 8766), 1 / 8766
# The median machine fails within a month in 3 of 100 cases, one in six in more than 13.
MEDIAN_HAZARD, HAZARD_SPREAD = 0.03, 1.5


def plant(machines: int, windows: int, crews: int, seed: int = 1) -> Problem:
    """A window a day, in which two thirds of the lines may be stopped; production is lost in it but at weekends."""
    chance = np.random.default_rng(seed)
    lines = [f"L{number + 1}" for number in range(max(machines // MACHINES_A_LINE, 1))]
    return Problem(
        now=NOW,
        until=NOW + windows * DAY,
        jobs=tuple(_job(chance, number, lines) for number in range(machines)),
        windows=tuple(_window(chance, number, lines) for number in range(windows)),
        crews=tuple(_crew(number, windows) for number in range(crews)),
        lines=tuple(Line(line, MOST_DOWN) for line in lines),
        parts=tuple(Part(key, machines // 80, float(chance.integers(5, 20)) * DAY) for key in PARTS),
        setups=tuple(Setup(f"crane of {line}", 900.0) for line in lines),
        moving_cost=50.0,
    )


def _job(chance: np.random.Generator, number: int, lines: list[str]) -> Job:
    hazard = MEDIAN_HAZARD * np.exp(chance.normal(0, HAZARD_SPREAD))
    along = (HORIZONS_HOURS / HORIZONS_HOURS[-1]) ** chance.uniform(1, 3)
    line = lines[number % len(lines)]
    return Job(
        machine=f"motor-{number:04}",
        line=line,
        minutes=30 * int(chance.integers(3, 15)),
        costs=_costs(chance),
        curve=make_curve(HORIZONS_HOURS.tolist(), (-np.expm1(-hazard * along)).tolist()),
        curve_from=NOW - HOUR,
        skill=SKILLS[int(chance.random() < 0.35)],
        parts={PARTS[int(chance.integers(len(PARTS)))]: 1} if chance.random() < 0.5 else {},
        setup=f"crane of {line}" if chance.random() < 0.2 else None,
    )


def _costs(chance: np.random.Generator) -> MachineCosts:
    preventive, failure = 800 * np.exp(chance.normal(0, 0.5)), 8000 * np.exp(chance.normal(0, 0.8))
    per_hour, hours = 300 * np.exp(chance.normal(0, 1)), chance.uniform(4, 24)
    renewed = FAILURES_PER_HOUR * (failure + per_hour * hours) + SERVICES_PER_HOUR * preventive
    return MachineCosts(preventive, failure, per_hour, hours, renewed, {})


def _window(chance: np.random.Generator, number: int, lines: list[str]) -> Window:
    start = NOW + number * DAY + 16 * HOUR
    opened = frozenset(line for line in lines if chance.random() < 2 / 3)
    loss_share = 0.0 if start.weekday() >= 5 else 0.5
    return Window(f"night {number + 1}", Span(start, start + 8 * HOUR), opened, loss_share)


def _crew(number: int, windows: int) -> Crew:
    """Eight hours a night, two nights a week off; the third of each three can do electrical work only."""
    skills = ({"mechanical"}, {"mechanical", "electrical"}, {"electrical"})[number % 3]
    nights = [NOW + night * DAY + 16 * HOUR for night in range(windows) if (night + number) % 7 < 5]
    return Crew(f"{number + 1}", frozenset(skills), tuple(Span(start, start + 8 * HOUR) for start in nights))
