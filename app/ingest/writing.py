"""Batches of several senders into the database in one transaction; requests and imports both come through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from app.database import Bind, transaction
from app.ingest.columns import Columns, Ints, join
from app.ingest.machines import KnownMachines
from app.ingest.merging import Contradiction
from app.ingest.newest import Newest
from app.ingest.packing import unpack_touched
from app.ingest.partitions import ensure_partitions, months_of
from app.ingest.plausibility import Fault, Rejection, implausible
from app.ingest.store import Arriving, Outcomes, StoredRows, store_readings
from app.ingest.tables import RejectedReading
from app.settings import Settings

# The answer names every refused row; the ledger keeps so many of a batch, or a sender run wild would fill the disk.
MOST_LEDGER_ROWS = 1_000
LONGEST_PAYLOAD = 2_000
# Unique violation and deadlock: what two processes storing the same rows at the same time may run into. No partition
# for a row: the worker dropped the month that it had packed.
MET_ANOTHER_WRITER = frozenset({"23505", "40P01", "23514"})
MOST_TRIES = 6


UNKNOWN_MACHINE: Fault = (
    "machine",
    "the machine is not known; add it, or send with a key that may register machines",
)


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
    """

    columns: Columns
    index: Ints
    batch_of: Ints
    rejected: list[list[Rejection]]

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> Group:
        return cls(
            join([batch.columns for batch in batches]),
            np.concatenate([batch.index for batch in batches]),
            np.repeat(np.arange(len(batches)), [len(batch.columns) for batch in batches]),
            [list(batch.rejected) for batch in batches],
        )

    def refuse(self, faults: Mapping[int, Fault]) -> Group:
        """The group without the rows at fault, each of which is kept with its reason."""
        if not faults:
            return self
        for row, (field, reason) in faults.items():
            told = Rejection(
                int(self.index[row]), field, reason, self.columns.machine[row], self.columns.as_json(row)
            )
            self.rejected[self.batch_of[row]].append(told)
        good = np.setdiff1d(np.arange(len(self.columns)), np.array(list(faults)))
        return Group(self.columns.take(good), self.index[good], self.batch_of[good], self.rejected)

    def reports(self, stored: StoredRows) -> list[BatchReport]:
        ends = np.searchsorted(self.batch_of, np.arange(len(self.rejected)), side="right").tolist()
        contradictions: list[list[Contradiction]] = [[] for _ in self.rejected]
        for each in stored.contradictions:
            contradictions[self.batch_of[each.row]].append(replace(each, row=int(self.index[each.row])))
        return [
            BatchReport(stored.outcomes[start:end], against, sorted(refused, key=lambda each: each.index))
            for start, end, against, refused in zip([0, *ends], ends, contradictions, self.rejected, strict=False)
        ]


class Writer:
    """Remembers which machines and months the database knows, and how far each machine's readings go."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self._bind = bind
        self._settings = settings
        self._machines = KnownMachines(bind)
        self._months: set[int] = set()
        self._newest = Newest()

    def write(self, batches: Sequence[Batch]) -> list[BatchReport]:
        """All batches or none: returns after the commit. Earlier batches come first where rows share a key."""
        group = Group.of(batches)
        group = group.refuse(implausible(group.columns, datetime.now(UTC), self._settings.max_future))
        ids = self._ids(group, batches)
        group = group.refuse(_unknown(group.columns.machine, ids))
        machine_ids = np.array([ids[key] for key in group.columns.machine], dtype=np.int64)
        stored = self._store(group, machine_ids, [batch.sender for batch in batches])
        self._newest.learn(machine_ids, group.columns.measured_us)
        return group.reports(stored)

    def forget(self) -> None:
        """Ask the database again: it may have been restored, or a month dropped."""
        self._machines.forget()
        self._months = set()
        self._newest = Newest()

    def _store(self, group: Group, machine_ids: Ints, senders: list[str]) -> StoredRows:
        """Another process may store the same row between our look-up and our write: then both are done again."""
        for tries_left in reversed(range(MOST_TRIES)):
            new = self._newest.surely_new(machine_ids, group.columns.measured_us)
            arriving = Arriving(group.columns, machine_ids, new, senders, group.batch_of)
            try:
                self._ensure_months(group.columns.measured_us)
                with transaction(self._bind) as connection:
                    unpack_touched(connection, machine_ids, group.columns.measured_us)
                    stored = store_readings(connection, arriving, self._settings.bucket_seconds)
                    _keep_rejected(connection, zip(senders, group.rejected, strict=True))
            except DBAPIError as error:
                if not tries_left or getattr(error.orig, "sqlstate", None) not in MET_ANOTHER_WRITER:
                    raise
                self._newest.distrust()
                self._months = set()
            else:
                return stored
        raise AssertionError("the last try returns or raises")

    def _ids(self, group: Group, batches: Sequence[Batch]) -> dict[str, int]:
        keys = set(group.columns.machine)
        if all(batch.may_register for batch in batches):
            return self._machines.ids(keys, keys)
        may = [batches[batch].may_register for batch in group.batch_of.tolist()]
        register = {key for key, allowed in zip(group.columns.machine, may, strict=True) if allowed}
        return self._machines.ids(keys, register)

    def _ensure_months(self, measured_us: Ints) -> None:
        missing = months_of(measured_us) - self._months
        if missing:
            ensure_partitions(self._bind, missing)
            self._months |= missing


def _unknown(keys: Sequence[str], ids: Mapping[str, int]) -> dict[int, Fault]:
    if set(keys) <= ids.keys():
        return {}
    return {row: UNKNOWN_MACHINE for row, key in enumerate(keys) if key not in ids}


def _keep_rejected(connection: Connection, rejected: Iterable[tuple[str, list[Rejection]]]) -> None:
    rows = [
        {
            "machine": _storable(refused.machine, 100) if refused.machine is not None else None,
            "field": _storable(refused.field, 200) if refused.field is not None else None,
            "reason": _storable(refused.reason, 500),
            "payload": _storable(refused.payload, LONGEST_PAYLOAD),
            "sender": sender,
        }
        for sender, refused_rows in rejected
        for refused in refused_rows[:MOST_LEDGER_ROWS]
    ]
    if rows:
        connection.execute(insert(RejectedReading), rows)


def _storable(text: str, longest: int) -> str:
    """PostgreSQL's text holds neither NUL nor half a surrogate pair."""
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
