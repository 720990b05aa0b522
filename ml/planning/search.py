"""One search by CP-SAT, the same every time: a single worker with a fixed seed that stops by counted work.

Several workers find other plans at every run; made to agree (interleave_search) two of them found less in 20 s than
one alone does in three (docs/decisions/planning.md). The clock is only the last resort.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ortools.sat.python import cp_model

from app.planning.choices import Choices, Ints
from ml.planning.model import Model, chosen_of

SEED = 1
# Costs come from risks that are known to some per cent; the last tenths of one are not worth waiting for.
GAP = 0.002
# A core does 0.45 to 0.9 of CP-SAT's units of work a second; given half a core, plans are the same every time.
WORK_PER_SECOND = 0.2


class Effort:
    """Until when on the clock, and how much counted work; searches draw on it one after the other."""

    def __init__(self, until: float, work: float, whole: Effort | None = None) -> None:
        self._until, self._work, self._whole = until, work, whole

    @property
    def seconds(self) -> float:
        return self._until - time.monotonic()

    @property
    def work(self) -> float:
        return self._work if self._whole is None else min(self._work, self._whole.work)

    @property
    def spent(self) -> bool:
        return self.seconds <= 0 or self.work <= 0

    def at_most(self, work: float) -> Effort:
        """A part of it."""
        return Effort(self._until, work, self)

    def draw(self, work: float) -> None:
        self._work -= work
        if self._whole is not None:
            self._whole.draw(work)


@dataclass(frozen=True)
class Found:
    """By job an option or none, and the cents below which no plan costs; nothing where that was not found out."""

    chosen: Ints
    bound: float


def search(choices: Choices, start: Ints, effort: Effort) -> Found:
    """The best plan found from `start` on, which is kept where nothing better is found in time."""
    model = Model(choices, start)
    if effort.spent:
        return Found(start, 0.0)
    solver = cp_model.CpSolver()
    _configure(solver, effort)
    status = solver.solve(model.cp)
    effort.draw(solver.deterministic_time)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(start, 0.0)
    chosen = chosen_of(choices, [solver.boolean_value(take) for take in model.take])
    better = choices.total(chosen) < choices.total(start)
    return Found(chosen if better else start, max(solver.best_objective_bound, 0.0))


def _configure(solver: cp_model.CpSolver, effort: Effort) -> None:
    parameters = solver.parameters
    parameters.num_workers = 1
    parameters.random_seed = SEED
    parameters.linearization_level = 2
    parameters.relative_gap_limit = GAP
    parameters.max_time_in_seconds = effort.seconds
    parameters.max_deterministic_time = effort.work
