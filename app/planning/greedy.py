"""Plans made one job after the other: the solver's start, and what stands when it finds nothing better."""

from __future__ import annotations

import numpy as np

from app.planning.choices import NONE, Choices, Flags, Floats, Ints
from app.planning.ledger import Ledger

# After a few rounds hardly a job finds a better place.
MOST_ROUNDS = 10


def by_risk(choices: Choices, risk: Floats) -> Ints:
    """The riskiest machine first, each in the first window that has room and costs less than leaving it out."""
    return _greedy(choices, -risk, rank=np.arange(len(choices), dtype=np.float64))


def best_start(choices: Choices) -> Ints:
    """Jobs by what a service saves, in all or for what it takes of everything; the cheaper plan, improved."""
    saved = _most_saved(choices)
    orders = (saved, saved / np.maximum(_least_taken(choices), 1e-9))
    return improved(choices, min((_greedy(choices, -order) for order in orders), key=choices.total))


def guided(choices: Choices, dearer: Floats) -> Ints:
    """Jobs by what a service saves, each where it is least dear at the prices of what is scarce; improved."""
    return improved(choices, _greedy(choices, -_most_saved(choices), rank=dearer))


def improved(choices: Choices, chosen: Ints) -> Ints:
    """Each job in turn takes its cheapest place that has room, until none finds a cheaper one."""
    ledger = Ledger(choices, chosen)
    free = np.flatnonzero(_has_choice(choices))
    for _ in range(MOST_ROUNDS):
        before = ledger.chosen.copy()
        for job in free:
            if (option := int(ledger.chosen[job])) != NONE:
                ledger.release(option)
            _take_best(choices, ledger, int(job), preferred=option)
        if (before == ledger.chosen).all():
            break
    return min((chosen, ledger.chosen), key=choices.total)


def _greedy(choices: Choices, order: Floats, rank: Floats | None = None) -> Ints:
    """Jobs with the lowest `order` first, each in the place of lowest `rank`, or of lowest cost without one."""
    ledger = Ledger(choices)
    for option in np.flatnonzero(choices.pinned):
        ledger.take(int(option))
    jobs, has_choice = np.argsort(order, kind="stable"), _has_choice(choices)
    for job in jobs[has_choice[jobs]]:
        _take_best(choices, ledger, int(job), rank=rank)
    return ledger.chosen


def _take_best(
    choices: Choices, ledger: Ledger, job: int, *, preferred: int = NONE, rank: Floats | None = None
) -> None:
    options = choices.options_of(job)
    cost = ledger.cost(options)
    possible = np.flatnonzero(ledger.fits(options) & (cost < choices.left[job]))
    if not len(possible):
        return
    best = possible[np.argmin((cost if rank is None else rank[options])[possible])]
    kept = preferred - options.start
    stays = preferred != NONE and kept in possible and cost[kept] == cost[best]
    ledger.take(options.start + int(kept if stays else best))


def _has_choice(choices: Choices) -> Flags:
    free = np.diff(choices.first) > 0
    free[choices.job[choices.pinned]] = False
    return free


def _most_saved(choices: Choices) -> Floats:
    saved = np.zeros(len(choices.left))
    np.maximum.at(saved, choices.job, choices.left[choices.job] - choices.cost)
    return saved


def _least_taken(choices: Choices) -> Floats:
    """Of each job, how much of what there is its least greedy option takes."""
    taken = np.zeros(len(choices))
    for limit in choices.limits:
        np.add.at(taken, limit.options, limit.amounts / max(limit.capacity, 1))
    least = np.full(len(choices.left), np.inf)
    np.minimum.at(least, choices.job, taken)
    return np.where(np.isfinite(least), least, 0.0)
