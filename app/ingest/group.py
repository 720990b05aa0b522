"""Batches that share a transaction: their rows together, so that they are checked and stored at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.ingest.columns import Columns, Ints, join
from app.ingest.merging import Contradiction
from app.ingest.plausibility import Fault, Rejection, machine_fault
from app.ingest.store import Outcomes, StoredRows

# The answer names every refused row; the ledger keeps so many a commit and sender, or one run wild fills the disk.
MOST_LEDGER_ROWS = 1_000


@dataclass(frozen=True)
class Batch:
    """What one sender sent: rows that could be read, the place of each as sent, and the rows refused already."""

    columns: Columns
    index: Ints
    rejected: list[Rejection]
    sender: str
    may_register: bool


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch: an Outcome for each row stored; rows are named by their place as sent."""

    outcomes: Outcomes
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
        sender_of_batch = [place.setdefault(batch.sender, len(place)) for batch in batches]
        return cls(
            join([batch.columns for batch in batches]),
            np.concatenate([batch.index for batch in batches]),
            np.repeat(np.arange(len(batches)), [len(batch.columns) for batch in batches]),
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
        ends = np.searchsorted(self.batch_of, np.arange(len(self.rejected)), side="right").tolist()
        contradictions: list[list[Contradiction]] = [[] for _ in self.rejected]
        for each in stored.contradictions:
            contradictions[self.batch_of[each.row]].append(replace(each, row=int(self.index[each.row])))
        return [
            BatchReport(stored.outcomes[start:end], against, sorted(refused, key=lambda each: each.index))
            for start, end, against, refused in zip([0, *ends], ends, contradictions, self.rejected, strict=False)
        ]
