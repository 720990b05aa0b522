"""From a problem in the plant's words to choices in numbers, and what the numbers stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from app.planning.choices import NONE, Choices, Flags, Ints, Limit
from app.planning.limits import Places, alike, each_alone, limits
from app.planning.objections import idle_crews, refuse_nonsense, usable_windows
from app.planning.pinned import PinnedWork
from app.planning.pricing import Prices, in_cents, prices
from app.planning.problem import MINUTE, Problem, Window


@dataclass(frozen=True)
class Framed:
    """`doable`: by job, window and crew what could be done at all, whatever it costs.

    `pooled`: the choices with crews that are alike in a window taken as one, as if they could share a job: smaller,
    and never dearer; `pool_of`: by option its like there. `lost`: by job why its pin leads nowhere. `objections`:
    what of the problem cannot be as it stands. The `problem`'s crews have the hours that accepted work leaves them.
    """

    problem: Problem
    windows: Sequence[Window]
    prices: Prices
    doable: Flags
    choices: Choices
    pooled: Choices
    pool_of: Ints
    lost: dict[int, str]
    objections: tuple[str, ...]


def framed(problem: Problem) -> Framed:
    """Raises BadInput where keys are not unique or a job takes no time."""
    refuse_nonsense(problem)
    windows, said = usable_windows(problem)
    pins, idle = PinnedWork(problem, windows), idle_crews(problem, windows)
    problem = replace(problem, crews=tuple(pins.crews))
    priced, doable = prices(problem, windows), _doable(problem, windows)
    wanted, cost, left = _wanted(problem, windows, priced, doable, pins)
    build = partial(_choices, problem, windows, cost, left, list(pins.places))
    pools = alike(problem, windows)
    choices, overfull = build(wanted, each_alone(problem, windows))
    pooled, _ = build(_into(wanted, pools), pools)
    objections = (*said, *idle, *pins.said, *overfull)
    pool_of = _like(choices, pools, pooled)
    return Framed(problem, windows, priced, doable, choices, pooled, pool_of, pins.lost, objections)


def _doable(problem: Problem, windows: Sequence[Window]) -> Flags:
    """The line is open, the crew has the skill and the hours, and the parts can be there."""
    hours = np.array([[crew.minutes(each.span) for crew in problem.crews] for each in windows], np.int64)
    kinds = {(job.skill, job.site): job for job in problem.jobs}
    able = {kind: np.array([crew.can(job) for crew in problem.crews], bool) for kind, job in kinds.items()}
    opened = {line: np.array([each.opens(line) for each in windows], bool) for line in _lines(problem)}
    found = np.zeros((len(problem.jobs), len(windows), len(problem.crews)), np.bool_)
    arrived = _arrived(problem, windows)
    starts = np.array([each.span.start for each in windows], object)
    for number, job in enumerate(problem.jobs):
        if not job.barred and job.curve is not None and found[number].size:
            there = opened[job.line].copy()
            if job.deferral is not None:
                there &= starts >= job.deferral.until
            for part, pieces in job.parts.items():
                stock, later = arrived.get(part, (0, np.zeros(len(windows), bool)))
                there &= later | (stock >= pieces)
            found[number] = there[:, None] & able[job.skill, job.site] & (hours >= job.minutes)
    return found


def _lines(problem: Problem) -> set[str | None]:
    return {job.line for job in problem.jobs}


def _arrived(problem: Problem, windows: Sequence[Window]) -> dict[str, tuple[int, Flags]]:
    """By part the stock, and in which windows what is ordered now is there."""
    wait = np.array([(each.span.start - problem.now) / MINUTE for each in windows])
    return {part.key: (part.stock, wait >= part.lead_time / MINUTE) for part in problem.parts}


def _wanted(
    problem: Problem, windows: Sequence[Window], priced: Prices, doable: Flags, pins: PinnedWork
) -> tuple[Flags, Ints, Ints]:
    """(options, their cents by job and window, cents of leaving out). Dearer than left out is no option."""
    cost, left = _with_moving(problem, windows, priced, doable)
    wanted = doable & (cost < left[:, None])[:, :, None]
    wanted[[*pins.places, *pins.lost]] = False
    for job, place in pins.places.items():
        wanted[(job, *place)] = True
    return wanted, cost, left


def _choices(
    problem: Problem,
    windows: Sequence[Window],
    cost: Ints,
    left: Ints,
    pinned_jobs: Sequence[int],
    wanted: Flags,
    pools: Ints,
) -> tuple[Choices, list[str]]:
    """(the choices, which limits the pins alone exceed)."""
    job, window, crew = (each.astype(np.int64) for each in np.nonzero(wanted))
    shared, shared_cost = _shared(problem, windows, job, window)
    pinned = np.isin(job, pinned_jobs)
    held, overfull = _held(limits(problem, windows, Places(job, window, crew), pools), pinned)
    choices = Choices(job, window, crew, cost[job, window], shared, shared_cost, left, pinned, held)
    return choices, overfull


def _into(wanted: Flags, pools: Ints) -> Flags:
    """The options with each crew's first alike in its place."""
    pooled = np.zeros_like(wanted)
    job, window, crew = np.nonzero(wanted)
    pooled[job, window, pools[window, crew]] = True
    return pooled


def _like(choices: Choices, pools: Ints, pooled: Choices) -> Ints:
    """By option the pooled one of its job, window and pool."""

    def key(job: Ints, window: Ints, crew: Ints) -> Ints:
        place: Ints = (job * len(pools) + window) * max(pools.shape[1], 1) + crew
        return place

    own = key(choices.job, choices.window, pools[choices.window, choices.crew])
    found: Ints = np.searchsorted(key(pooled.job, pooled.window, pooled.crew), own)
    return found


def _with_moving(problem: Problem, windows: Sequence[Window], priced: Prices, doable: Flags) -> tuple[Ints, Ints]:
    """Costs with the price of another window than the last plan's, where that window is still there, or of none at
    all where there is a choice.
    """
    number_of = {each.key: number for number, each in enumerate(windows)}
    proposed = np.array([number_of.get(job.proposed_window or "", NONE) for job in problem.jobs], np.int64)
    moving = int(in_cents(np.array([problem.moving_cost]))[0])
    moved = (proposed != NONE)[:, None] & (proposed[:, None] != np.arange(len(windows)))
    chosen = (proposed != NONE) & doable.any(axis=(1, 2))
    return priced.service + moving * moved, priced.left + moving * chosen


def _shared(problem: Problem, windows: Sequence[Window], job: Ints, window: Ints) -> tuple[Ints, Ints]:
    """(by option its set-up in its window, or NONE; the cents of each set-up in each window)."""
    number_of = {each.key: number for number, each in enumerate(problem.setups)}
    setup = np.array([number_of.get(each.setup or "", NONE) for each in problem.jobs], np.int64)[job]
    costs = in_cents(np.array([each.cost for each in problem.setups], np.float64))
    around = np.array([_around(windows, number) for number in range(len(windows))], np.int64)
    return np.where(setup == NONE, NONE, setup * len(windows) + around[window]), np.repeat(costs, len(windows))


def _around(windows: Sequence[Window], number: int) -> int:
    """Accepted work shares its set-ups with the window that it was planned in."""
    own = windows[number]
    if own.owner is None:
        return number
    shared = (n for n, each in enumerate(windows) if each.owner is None and own.span.within(each.span))
    return next(shared, number)


def _held(found: Sequence[Limit], pinned: Flags) -> tuple[tuple[Limit, ...], list[str]]:
    """Accepted work stays, so each limit has room for at least that."""
    used = [each.used(pinned) for each in found]
    said = [
        f"Accepted work takes more than {each.what}."
        for each, taken in zip(found, used, strict=True)
        if taken > each.capacity
    ]
    held = (replace(each, capacity=max(each.capacity, taken)) for each, taken in zip(found, used, strict=True))
    return tuple(held), said
