"""The schedule of a plant: greedy start, bound, search, words; within its time whatever the size."""

from __future__ import annotations

import time

import numpy as np

from app.planning.choices import NONE, Choices, Flags, Floats, Ints
from app.planning.framing import Framed, framed
from app.planning.greedy import best_start, guided, improved
from app.planning.problem import Problem
from app.planning.schedule import Schedule, write_up
from ml.planning.blocks import block
from ml.planning.prices import Bound, Relaxed
from ml.planning.search import GAP, WORK_PER_SECOND, Effort, Found, search

# So many options are searched at once; more are searched a few crews at a time, the most promising of theirs.
OPTIONS_A_BLOCK, CREWS_A_BLOCK = 1_500, 6
# Each round looks at more options of each job than the one before; at least so many rounds are paid for.
WIDER, ROUNDS = 2, 3
# Kept for the words, of the time in all or of that which framing took, whichever is more: both grow with the plant.
KEPT_SHARE, KEPT_OF_FRAMING = 0.1, 1.2
SEED = 1


def schedule(problem: Problem, seconds: float = 20.0) -> Schedule:
    """The best schedule found in so many seconds; the same one again wherever counted work ends the search first.

    Raises BadInput where keys are not unique or a job takes no time.
    """
    started = time.monotonic()
    asked = framed(problem)
    start, bound = _start(asked)
    kept = max(KEPT_SHARE * seconds, KEPT_OF_FRAMING * (time.monotonic() - started))
    found = _searched(asked, start, bound, Effort(started + seconds - kept, seconds * WORK_PER_SECOND))
    return write_up(asked, improved(asked.choices, found.chosen), found.bound)


def without_search(problem: Problem) -> Schedule:
    """The start alone, with its bound: within two in a hundred of it on plants like those of P18."""
    asked = framed(problem)
    start, bound = _start(asked)
    return write_up(asked, start, bound.cost)


def _start(asked: Framed) -> tuple[Ints, Bound]:
    """The cheaper of the plans that need no search, and what no plan is below."""
    choices = asked.choices
    first = best_start(choices)
    bound = Relaxed(asked.pooled).bound(choices.total(first))
    return min((first, guided(choices, bound.dearer[asked.pool_of])), key=choices.total), bound


def _searched(asked: Framed, start: Ints, bound: Bound, effort: Effort) -> Found:
    if len(asked.choices) <= OPTIONS_A_BLOCK:
        found = search(asked.choices, start, effort)
        return Found(found.chosen, max(bound.cost, found.bound))
    return Found(_by_blocks(asked, start, bound, effort), bound.cost)


def _by_blocks(asked: Framed, start: Ints, bound: Bound, effort: Effort) -> Ints:
    """Some crews' work planned anew, the rest as it is, until no crews find better or the effort is spent."""
    chosen, dearer, total = start, bound.dearer[asked.pool_of], asked.choices.total
    chance, options = np.random.default_rng(SEED), OPTIONS_A_BLOCK
    blocks = -(-len(asked.problem.crews) // CREWS_A_BLOCK)
    work = effort.work / (blocks * ROUNDS)
    while options < WIDER * len(asked.choices):
        for crews in np.array_split(chance.permutation(len(asked.problem.crews)), blocks):
            if effort.spent or total(chosen) - bound.cost <= GAP * total(chosen):
                return chosen
            part = block(asked.choices, chosen, _promising(asked.choices, chosen, crews, dearer, options))
            found = search(part.choices, part.start(chosen), effort.at_most(work))
            chosen = part.into(chosen, found.chosen)
        options *= WIDER
    return chosen


def _promising(choices: Choices, chosen: Ints, crews: Ints, dearer: Floats, most: int) -> Flags:
    """Where these crews now are, and of what else they could do that which costs least beyond its job's best."""
    theirs = np.isin(choices.crew, crews)
    movable = (chosen == NONE) | theirs[chosen]
    places = np.flatnonzero(theirs & movable[choices.job])
    free = np.zeros(len(choices), np.bool_)
    free[places[np.argsort(dearer[places], kind="stable")[:most]]] = True
    free[chosen[movable & (chosen != NONE)]] = True
    return free
