"""The choices as a CP-SAT model: a Boolean an option, a Boolean a set-up in a window, and a linear row a limit.

A set-up is bound by each job that needs it and not by their sum: the relaxation is then as tight as that of
facility location (Krarup and Pruzan 1983, "The simple plant location problem", European Journal of Operational
Research 12).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from ortools.sat.python import cp_model

from app.planning.choices import NONE, Choices, Ints

weighted_sum = cp_model.LinearExpr.weighted_sum


class Model:
    """What the solver is given; the objective is in cents and counts the jobs that take no option."""

    def __init__(self, choices: Choices, hint: Ints) -> None:
        self.cp = cp_model.CpModel()
        self.choices = choices
        self.take = [self.cp.new_bool_var("") for _ in range(len(choices))]
        self.pay = [self.cp.new_bool_var("") for _ in range(len(choices.shared_cost))]
        self._jobs()
        self._limits()
        self._setups()
        self._objective()
        self._hint(hint)

    def _jobs(self) -> None:
        for start, stop in zip(self.choices.first[:-1], self.choices.first[1:], strict=True):
            self.cp.add_at_most_one(self.take[start:stop])
        for option in np.flatnonzero(self.choices.pinned):
            self.cp.add(self.take[option] == 1)

    def _limits(self) -> None:
        for limit in self.choices.limits:
            taken = weighted_sum([self.take[option] for option in limit.options], limit.amounts.tolist())
            self.cp.add(taken <= limit.capacity)

    def _setups(self) -> None:
        for options in self._sharing():
            pay = self.pay[self.choices.shared[options[0]]]
            self.cp.add_at_most_one([*(self.take[option] for option in options), pay.negated()])

    def _sharing(self) -> Iterator[Ints]:
        """The options of one job in one window, which need the same set-up."""
        needs = np.flatnonzero(self.choices.shared != NONE)
        change = np.diff(self.choices.job[needs]) | np.diff(self.choices.window[needs])
        return (group for group in np.split(needs, np.flatnonzero(change) + 1) if len(group))

    def _objective(self) -> None:
        choices = self.choices
        against_leaving = (choices.cost - choices.left[choices.job]).tolist()
        saved = weighted_sum([*self.take, *self.pay], against_leaving + choices.shared_cost.tolist())
        self.cp.minimize(saved + int(choices.left.sum()))

    def _hint(self, chosen: Ints) -> None:
        taken = np.zeros(len(self.choices), np.int64)
        taken[chosen[chosen != NONE]] = 1
        paid = np.zeros(len(self.pay), np.int64)
        shared = self.choices.shared[taken.astype(bool)]
        paid[shared[shared != NONE]] = 1
        for variable, value in zip((*self.take, *self.pay), (*taken.tolist(), *paid.tolist()), strict=True):
            self.cp.add_hint(variable, value)


def chosen_of(choices: Choices, taken: Sequence[bool]) -> Ints:
    """By job its option or NONE."""
    options = np.flatnonzero(np.array(taken, bool))
    chosen = np.full(len(choices.left), NONE)
    chosen[choices.job[options]] = options
    return chosen
