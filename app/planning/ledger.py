"""What is left of every limit, and which set-ups are paid, while options are taken one after the other."""

from __future__ import annotations

import numpy as np

from app.planning.choices import NONE, Choices, Flags, Ints


class Ledger:
    """Of one plan in the making. Limits are rows; row 0 has no end, so that every option has a row."""

    def __init__(self, choices: Choices, chosen: Ints | None = None) -> None:
        self._choices = choices
        self._paid = np.zeros(len(choices.shared_cost), np.int64)
        self._left = np.array([len(choices) + 1, *(each.capacity for each in choices.limits)], np.int64)
        self._fill_rows()
        self.chosen = np.full(len(choices.left), NONE)
        for option in () if chosen is None else chosen[chosen != NONE]:
            self.take(int(option))

    def _fill_rows(self) -> None:
        """Rows and amounts by option: those of option o are [begin[o], begin[o + 1])."""
        every = np.arange(len(self._choices))
        limits = self._choices.limits
        option = np.concatenate([every, *(each.options for each in limits)])
        row = np.repeat(np.arange(len(limits) + 1), [len(every), *(len(each.options) for each in limits)])
        amount = np.concatenate([np.ones_like(every), *(each.amounts for each in limits)])
        order = np.argsort(option, kind="stable")
        self._row, self._amount = row[order], amount[order]
        self._begin = np.searchsorted(option[order], np.arange(len(every) + 1))

    def fits(self, options: slice) -> Flags:
        """Of neighbouring options."""
        begin = self._begin[options.start : options.stop]
        if not len(begin):
            return np.zeros(0, np.bool_)
        span = slice(begin[0], self._begin[options.stop])
        kept = self._left[self._row[span]] >= self._amount[span]
        return np.logical_and.reduceat(kept, begin - begin[0])

    def cost(self, options: slice) -> Ints:
        """With the set-up where nobody has paid for it."""
        shared = self._choices.shared[options]
        to_pay = np.zeros(len(shared), np.int64)
        needs = shared != NONE
        to_pay[needs] = np.where(self._paid[shared[needs]] > 0, 0, self._choices.shared_cost[shared[needs]])
        return self._choices.cost[options] + to_pay

    def take(self, option: int) -> None:
        self._book(option, 1)
        self.chosen[self._choices.job[option]] = option

    def release(self, option: int) -> None:
        self._book(option, -1)
        self.chosen[self._choices.job[option]] = NONE

    def in_the_way(self, option: int) -> list[int]:
        """Positions of the limits that have too little left for it."""
        span = slice(self._begin[option], self._begin[option + 1])
        rows = self._row[span][self._left[self._row[span]] < self._amount[span]]
        return [int(row) - 1 for row in rows]

    def _book(self, option: int, times: int) -> None:
        span = slice(self._begin[option], self._begin[option + 1])
        self._left[self._row[span]] -= times * self._amount[span]
        if (shared := self._choices.shared[option]) != NONE:
            self._paid[shared] += times
