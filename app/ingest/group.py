"""Batches that share a transaction: their rows together, so that they are checked and stored at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain

import numpy as np

from app.ingest.columns import EPOCH, FIRST_US, MICROSECOND, Columns, Ints, join
from app.ingest.merging import Contradiction, Outcome
from app.ingest.plausibility import Fault, Rejection, machine_fault
from app.ingest.store import Outcomes, StoredRows
from app.ingest.wire import ReadingIn, as_columns, columns_of

# The answer names every refused row; the ledger keeps so many a commit and sender, or one run wild fills the disk.
MOST_LEDGER_ROWS = 1_000
EXTRA_CHANNELS_A_ROW = 8

# How many rows of each Outcome, in its order.
Counts = list[int]


@dataclass
class Batch:
    """What one sender sent: rows that could be read, the place of each as sent, and the rows refused already."""

    rows: Columns | list[ReadingIn]
    index: Ints
    rejected: list[Rejection]
    sender: str
    may_register: bool

    @cached_property
    def columns(self) -> Columns:
        return as_columns(self.rows)

    @property
    def machines(self) -> Iterable[str]:
        """The key of each row."""
        return self.rows.machine if isinstance(self.rows, Columns) else (each.machine for each in self.rows)

    @cached_property
    def size(self) -> int:
        """Rows, as memory and time count them: so many extra channels cost as much as another row."""
        extras = self.rows.extra if isinstance(self.rows, Columns) else (each.extra for each in self.rows)
        return len(self.rows) + sum(len(extra) for extra in extras if extra) // EXTRA_CHANNELS_A_ROW

    def is_before(self, time: datetime) -> bool:
        """Whether it has readings and not one of `time` or later."""
        if isinstance(self.rows, Columns):
            newest_us = int(self.rows.measured_us.max(initial=FIRST_US))
            return len(self.rows) > 0 and newest_us < (time - EPOCH) // MICROSECOND
        return len(self.rows) > 0 and all(each.measured_at < time for each in self.rows)


@dataclass
class BatchReport:
    """What became of a batch: how many rows of each Outcome, and which were not stored, by their place as sent."""

    counts: Counts
    contradictions: list[Contradiction]
    rejected: list[Rejection]


@dataclass(frozen=True)
class Group:
    """The rows of all batches, one after the other, so that they are checked and stored at once.

    batch_of: [rows] the place of each row's batch. rejected: per batch the rows refused.
    senders: each name once. sender_of_batch: [batches] places in `senders`.
    """

    columns: Columns
    index: Ints
    batch_of: Ints
    rejected: list[list[Rejection]]
    senders: list[str]
    sender_of_batch: Ints

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> Group:
        place: dict[str, int] = {}
        sizes = [len(batch.rows) for batch in batches]
        sender_of_batch = [place.setdefault(batch.sender, len(place)) for batch in batches]
        return cls(
            _columns(batches),
            np.concatenate([batch.index for batch in batches]),
            np.repeat(np.arange(len(batches)), sizes),
            [list(batch.rejected) for batch in batches],
            list(place),
            np.array(sender_of_batch, dtype=np.int64),
        )

    @property
    def sender_of(self) -> Ints:
        return self.sender_of_batch[self.batch_of]

    def refused_by_sender(self) -> list[list[Rejection]]:
        refused: list[list[Rejection]] = [[] for _ in self.senders]
        for sender, rows in zip(self.sender_of_batch.tolist(), self.rejected, strict=True):
            refused[sender] += rows
        return refused

    def refused_machines(self) -> set[str]:
        """Keys that could be a machine's, of the rows that are kept in the ledger."""
        named = {row.machine for rows in self.rejected for row in rows[:MOST_LEDGER_ROWS] if row.machine}
        return {key for key in named if machine_fault(key) is None}

    def refuse(self, faults: Mapping[int, Fault]) -> Group:
        """The group without the rows at fault, each of which is kept with its reason."""
        if not faults:
            return self
        for row, (field, reason) in faults.items():
            rejected = self.rejected[self.batch_of[row]]
            payload = self.columns.as_json(row) if len(rejected) < MOST_LEDGER_ROWS else ""
            rejected.append(Rejection(int(self.index[row]), field, reason, self.columns.machine[row], payload))
        good = np.setdiff1d(np.arange(len(self.columns)), np.array(list(faults)))
        return replace(self, columns=self.columns.take(good), index=self.index[good], batch_of=self.batch_of[good])

    def reports(self, stored: StoredRows) -> list[BatchReport]:
        contradictions: list[list[Contradiction]] = [[] for _ in self.rejected]
        for each in stored.contradictions:
            contradictions[self.batch_of[each.row]].append(replace(each, row=int(self.index[each.row])))
        return [
            BatchReport(counts, against, sorted(refused, key=lambda each: each.index) if refused else [])
            for counts, against, refused in zip(
                self._counts(stored.outcomes), contradictions, self.rejected, strict=True
            )
        ]

    def _counts(self, outcomes: Outcomes) -> list[Counts]:
        """Of each batch."""
        batches, kinds = len(self.rejected), len(Outcome)
        counts = np.bincount(self.batch_of * kinds + outcomes, minlength=batches * kinds)
        by_batch: list[Counts] = counts.reshape(batches, kinds).tolist()
        return by_batch


def _columns(batches: Sequence[Batch]) -> Columns:
    """Of all rows, in one go where they are still as decoded."""
    decoded = [batch.rows for batch in batches if isinstance(batch.rows, list)]
    if len(decoded) == len(batches):
        return columns_of(list(chain.from_iterable(decoded)))
    return join([batch.columns for batch in batches])
