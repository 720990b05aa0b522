"""The schedule as arithmetic: options of which each job takes one or none, and limits on what all take together.

The greedy start, the solver and the reasons all read these; they know nothing of crews, lines or parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
NONE = -1


@dataclass(frozen=True)
class Limit:
    """How much options take of one thing, and how much there is: `what`, as in `crew A's 8 h on Fri 4 Dec`."""

    what: str
    capacity: int
    options: Ints
    amounts: Ints

    def used(self, taken: Flags) -> int:
        """By the options that are `taken`."""
        return int(self.amounts[taken[self.options]].sum())


@dataclass(frozen=True)
class Choices:
    """Options in the order of their jobs, positions and cents. `shared`: the set-up in a window that an option
    needs, or NONE; whoever takes it first pays `shared_cost`. `left`: of each job when it takes no option.
    A pinned job has one option and takes it."""

    job: Ints
    window: Ints
    crew: Ints
    cost: Ints
    shared: Ints
    shared_cost: Ints
    left: Ints
    pinned: Flags
    limits: tuple[Limit, ...]

    def __len__(self) -> int:
        return len(self.job)

    @cached_property
    def first(self) -> Ints:
        """Of each job its first option, and one more: job j has first[j] up to first[j + 1]."""
        return np.searchsorted(self.job, np.arange(len(self.left) + 1))

    def options_of(self, job: int) -> slice:
        return slice(int(self.first[job]), int(self.first[job + 1]))

    def total(self, chosen: Ints) -> int:
        """Cents that all jobs cost together; `chosen` is an option or NONE by job."""
        taken = chosen[chosen != NONE]
        shared = np.unique(self.shared[taken])
        setups = self.shared_cost[shared[shared != NONE]].sum()
        return int(self.cost[taken].sum() + self.left[chosen == NONE].sum() + setups)

    def broken(self, chosen: Ints) -> list[Limit]:
        """The limits that are not kept."""
        taken = np.zeros(len(self), np.bool_)
        taken[chosen[chosen != NONE]] = True
        return [each for each in self.limits if each.used(taken) > each.capacity]
