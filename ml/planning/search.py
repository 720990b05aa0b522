"""One search by CP-SAT, the same every time: a single worker with a fixed seed that stops by counted work.

Several workers find other plans at every run; made to agree (interleave_search) two of them found less in 20 s than
one alone (docs/decisions/planning.md). The clock is only the last resort.
"""

from __future__ import annotations

from dataclasses import dataclass

from ortools.sat.python import cp_model

from app.planning.choices import Choices, Ints
from ml.planning.model import Model, chosen_of

SEED = 1
# Costs come from risks that are known to some per cent; the last tenths of one are not worth waiting for.
GAP = 0.002
# CP-SAT's unit of counted work takes about two seconds of a core here; twice that is left as room for slower ones.
WORK_PER_SECOND = 0.25


@dataclass(frozen=True)
class Found:
    """By job an option or none, and the cents below which no plan costs."""

    chosen: Ints
    bound: float


def search(choices: Choices, start: Ints, seconds: float, gap: float = GAP) -> Found:
    """The best plan found from `start` on, which is kept where nothing better is found in time."""
    if not len(choices) or seconds <= 0:
        return Found(start, 0.0)
    model, solver = Model(choices, start), cp_model.CpSolver()
    _configure(solver, seconds, gap)
    status = solver.solve(model.cp)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(start, 0.0)
    chosen = chosen_of(choices, [solver.boolean_value(take) for take in model.take])
    better = choices.total(chosen) < choices.total(start)
    return Found(chosen if better else start, max(solver.best_objective_bound, 0.0))


def _configure(solver: cp_model.CpSolver, seconds: float, gap: float) -> None:
    parameters = solver.parameters
    parameters.num_workers = 1
    parameters.random_seed = SEED
    parameters.linearization_level = 2
    parameters.relative_gap_limit = gap
    parameters.max_time_in_seconds = seconds
    parameters.max_deterministic_time = seconds * WORK_PER_SECOND
