"""Prices of what is scarce: a bound on the cost of every plan, and what each option costs at these prices.

Each limit gets a price a unit, and each job's need of a set-up a share of its cost. At any prices, the sum of every
job's cheapest option, less what the limits are worth, bounds the cost of all plans from below (Held and Karp 1971,
"The traveling-salesman problem and minimum spanning trees: part II", Mathematical Programming 1; Fisher 1981, "The
Lagrangian relaxation method for solving integer programming problems", Management Science 27). Prices rise where
the cheapest options take more than there is, by Polyak's step towards the best plan known; after some hundred
rounds the bound is that of the linear relaxation, at a hundredth of its time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from app.planning.choices import NONE, Choices, Floats, Ints

ROUNDS = 400
# Polyak's factor; falls by a third after so many rounds without a better bound.
FIRST_STEP, FALL, PATIENCE = 1.0, 1.5, 10


@dataclass(frozen=True)
class Bound:
    """No plan costs less cents than `cost`. `dearer`: by option how much it costs more than its job's cheapest
    choice, at the prices that gave the bound."""

    cost: float
    dearer: Floats


class Relaxed:
    """The choices without limits, at prices. Rows are the limits, each scaled to one, then the needs of set-ups."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._free = np.diff(choices.first) > 0
        self._starts = choices.first[:-1][self._free]
        self._sizes = np.diff(choices.first)[self._free]
        left = choices.left.astype(np.float64)
        self._without = float(left[~self._free].sum())
        left[choices.job[choices.pinned]] = np.inf
        self._left = left[self._free]
        need = np.flatnonzero(choices.shared != NONE)
        setups = max(len(choices.shared_cost), 1)
        needs, place = np.unique(choices.job[need] * setups + choices.shared[need], return_inverse=True)
        self._setup = needs % setups
        self._rows = _matrix(choices, need, place, len(needs))
        self._columns = self._rows.T.tocsr()
        self._capacity = np.concatenate((_shares(choices), np.zeros(len(needs))))

    def bound(self, known: float) -> Bound:
        """The best after ROUNDS; `known` is the cost of a plan."""
        prices = best_prices = self._first_prices()
        best, step, stalled = -np.inf, FIRST_STEP, 0
        for _ in range(ROUNDS):
            found, excess = self._at(prices)
            better = found > best
            best, best_prices = (found, prices) if better else (best, best_prices)
            stalled = 0 if better else stalled + 1
            excess = np.where((prices <= 0) & (excess < 0), 0.0, excess)
            length = float(excess @ excess)
            if length == 0 or best >= known:
                break
            if stalled == PATIENCE:
                prices, step, stalled = best_prices, step / FALL, 0
            else:
                prices = np.maximum(prices + step * max(known - found, 0.0) / length * excess, 0.0)
        return Bound(best, self._dearer(best_prices))

    def _dearer(self, prices: Floats) -> Floats:
        cost = self._choices.cost + self._columns @ prices
        if len(cost):
            least = np.minimum(np.minimum.reduceat(cost, self._starts), self._left)
            cost -= np.repeat(least, self._sizes)
        dearer: Floats = cost
        return dearer

    def _first_prices(self) -> Floats:
        """Limits are worth nothing, and each set-up is shared out evenly."""
        sharing = np.bincount(self._setup, minlength=len(self._choices.shared_cost))
        shares = (self._choices.shared_cost / np.maximum(sharing, 1))[self._setup]
        return np.concatenate((np.zeros(len(self._choices.limits)), shares))

    def _at(self, prices: Floats) -> tuple[float, Floats]:
        """(bound, what is taken of each row beyond what there is) at these prices."""
        taken, least = self._cheapest(self._choices.cost + self._columns @ prices)
        links = len(self._choices.limits)
        asked = np.bincount(self._setup, prices[links:], len(self._choices.shared_cost))
        spare = self._choices.shared_cost - asked
        excess = self._rows @ taken - self._capacity
        excess[links:] -= (spare < 0)[self._setup]
        return self._without + least + float(np.minimum(spare, 0).sum() - prices @ self._capacity), excess

    def _cheapest(self, cost: Floats) -> tuple[Floats, float]:
        """(which options jobs take, one or none each; what they cost with those left out)."""
        taken = np.zeros(len(cost))
        if not len(cost):
            return taken, 0.0
        least = np.minimum.reduceat(cost, self._starts)
        hits = np.flatnonzero(cost <= np.repeat(least, self._sizes))
        firsts = hits[np.searchsorted(hits, self._starts)]
        taken[firsts[least < self._left]] = 1
        return taken, float(np.minimum(least, self._left).sum())


def _shares(choices: Choices) -> Floats:
    """How much there is, in units of `_scale`."""
    return np.array([each.capacity for each in choices.limits], np.float64) / _scale(choices)


def _scale(choices: Choices) -> Floats:
    return np.array([max(each.capacity, int(each.amounts.max())) for each in choices.limits], np.float64)


def _matrix(choices: Choices, need: Ints, place: Ints, needs: int) -> sparse.csr_matrix:
    limits, scale = choices.limits, _scale(choices)
    shares = [each.amounts / unit for each, unit in zip(limits, scale, strict=True)]
    row = np.repeat(np.arange(len(limits)), [len(each.options) for each in limits])
    values = np.concatenate([*shares, np.ones(len(need))])
    rows = np.concatenate([row, len(limits) + place])
    columns = np.concatenate([*(each.options for each in limits), need])
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(limits) + needs, len(choices)))
