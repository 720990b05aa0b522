"""A part of a plan planned anew: some options are free, everything else stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.planning.choices import NONE, Choices, Flags, Ints, Limit


@dataclass(frozen=True)
class Block:
    """`choices` of the part; `options` and `jobs` are the whole's at its positions."""

    choices: Choices
    options: Ints
    jobs: Ints

    def start(self, chosen: Ints) -> Ints:
        own = chosen[self.jobs]
        found = np.searchsorted(self.options, own)
        return np.where(own == NONE, NONE, found)

    def into(self, chosen: Ints, found: Ints) -> Ints:
        """The whole plan with the part's in its place."""
        whole = chosen.copy()
        whole[self.jobs] = np.where(found == NONE, NONE, self.options[found])
        return whole


def block(choices: Choices, chosen: Ints, free: Flags) -> Block:
    """Of the `free` options, of jobs that are left out or are at one of them now."""
    at_free = np.where(chosen == NONE, True, free[chosen])
    options = np.flatnonzero(free & at_free[choices.job])
    jobs = np.unique(choices.job[options])
    stays = np.ones(len(choices.left), np.bool_)
    stays[jobs] = False
    fixed = np.zeros(len(choices), np.bool_)
    fixed[chosen[stays & (chosen != NONE)]] = True
    paid = choices.shared[fixed]
    shared_cost = choices.shared_cost.copy()
    shared_cost[paid[paid != NONE]] = 0
    part = replace(
        choices,
        job=np.searchsorted(jobs, choices.job[options]),
        window=choices.window[options],
        crew=choices.crew[options],
        cost=choices.cost[options],
        shared=choices.shared[options],
        shared_cost=shared_cost,
        left=choices.left[jobs],
        pinned=choices.pinned[options],
        limits=_room(choices, fixed, options),
    )
    return Block(part, options, jobs)


def _room(choices: Choices, fixed: Flags, options: Ints) -> tuple[Limit, ...]:
    """The limits on `options`, less what the `fixed` take."""
    position = np.full(len(choices), NONE)
    position[options] = np.arange(len(options))
    found = []
    for limit in choices.limits:
        places = position[limit.options]
        inside = places != NONE
        if inside.any():
            capacity = limit.capacity - limit.used(fixed)
            found.append(Limit(limit.what, capacity, places[inside], limit.amounts[inside]))
    return tuple(found)
