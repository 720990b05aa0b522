"""Batches of several senders into the database in one transaction; requests and imports both come through here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from app.database import Bind, transaction
from app.ingest.columns import Columns, Ints, join
from app.ingest.machines import KnownMachines
from app.ingest.merging import Contradiction
from app.ingest.newest import Newest
from app.ingest.partitions import ensure_partitions, months_of
from app.ingest.plausibility import Rejection
from app.ingest.store import Arriving, Outcomes, StoredRows, store_readings
from app.ingest.tables import RejectedReading
from app.settings import Settings

# The answer names every refused row; the ledger keeps so many of a batch, or a sender run wild would fill the disk.
MOST_LEDGER_ROWS = 1_000
LONGEST_PAYLOAD = 2_000
# Unique violation and deadlock: what two processes storing the same rows at the same time may run into.
MET_ANOTHER_WRITER = frozenset({"23505", "40P01"})
MOST_TRIES = 6


@dataclass(frozen=True)
class Batch:
    """What one sender sent: plausible rows, the place of each as sent, and the rows already refused."""

    columns: Columns
    index: Ints
    rejected: list[Rejection]
    sender: str
    may_register: bool


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch: an Outcome for each row that has one; rows are named by their place as sent."""

    outcomes: Outcomes
    contradictions: list[Contradiction]
    rejected: list[Rejection]


class Writer:
    """Remembers which machines and months the database knows, and how far each machine's readings go."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self._bind = bind
        self._bucket_seconds = settings.bucket_seconds
        self._machines = KnownMachines(bind)
        self._months: set[int] = set()
        self._newest = Newest()

    def write(self, batches: Sequence[Batch]) -> list[BatchReport]:
        """All batches or none: returns after the commit. Earlier batches come first where rows share a key."""
        ids = self._ids(batches)
        batches = [_without_unknown(batch, ids) for batch in batches]
        columns = join([batch.columns for batch in batches])
        self._ensure_months(columns.measured_us)
        machine_ids = np.array([ids[key] for key in columns.machine], dtype=np.int64)
        stored = self._store(batches, columns, machine_ids)
        self._newest.learn(machine_ids, columns.measured_us)
        return _split(batches, stored.outcomes, stored.contradictions)

    def forget(self) -> None:
        """Ask the database again: it may have been restored, or a month dropped."""
        self._machines.forget()
        self._months = set()
        self._newest = Newest()

    def _store(self, batches: Sequence[Batch], columns: Columns, machine_ids: Ints) -> StoredRows:
        """Another process may store the same row between our look-up and our write: then both are done again."""
        senders = [batch.sender for batch in batches]
        sender_of = np.repeat(np.arange(len(batches)), [len(batch.columns) for batch in batches])
        for _ in range(MOST_TRIES - 1):
            new = self._newest.surely_new(machine_ids, columns.measured_us)
            try:
                return self._store_once(batches, Arriving(columns, machine_ids, new, senders, sender_of))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in MET_ANOTHER_WRITER:
                    raise
                self._newest.distrust()
        none = np.zeros(len(columns), dtype=np.bool_)
        return self._store_once(batches, Arriving(columns, machine_ids, none, senders, sender_of))

    def _store_once(self, batches: Sequence[Batch], arriving: Arriving) -> StoredRows:
        with transaction(self._bind) as connection:
            stored = store_readings(connection, arriving, self._bucket_seconds)
            _keep_rejected(connection, batches)
        return stored

    def _ids(self, batches: Sequence[Batch]) -> dict[str, int]:
        keys = {key for batch in batches for key in batch.columns.machine}
        register = {key for batch in batches if batch.may_register for key in batch.columns.machine}
        return self._machines.ids(keys, register)

    def _ensure_months(self, measured_us: Ints) -> None:
        missing = months_of(measured_us) - self._months
        if missing:
            ensure_partitions(self._bind, missing)
            self._months |= missing


def _without_unknown(batch: Batch, ids: dict[str, int]) -> Batch:
    if not set(batch.columns.machine) - ids.keys():
        return batch
    known = np.array([key in ids for key in batch.columns.machine], dtype=np.bool_)
    reason = "the machine is not known; add it, or send with a key that may register machines"
    unknown = [
        Rejection(int(batch.index[row]), "machine", reason, batch.columns.machine[row], batch.columns.as_json(row))
        for row in np.flatnonzero(~known).tolist()
    ]
    rows = np.flatnonzero(known)
    return replace(
        batch, columns=batch.columns.take(rows), index=batch.index[rows], rejected=batch.rejected + unknown
    )


def _keep_rejected(connection: Connection, batches: Sequence[Batch]) -> None:
    rows = [
        {
            "machine": _storable(refused.machine, 100) if refused.machine is not None else None,
            "field": _storable(refused.field, 200) if refused.field is not None else None,
            "reason": _storable(refused.reason, 500),
            "payload": _storable(refused.payload, LONGEST_PAYLOAD),
            "sender": batch.sender,
        }
        for batch in batches
        for refused in batch.rejected[:MOST_LEDGER_ROWS]
    ]
    if rows:
        connection.execute(insert(RejectedReading), rows)


def _storable(text: str, longest: int) -> str:
    """PostgreSQL's text holds neither NUL nor half a surrogate pair."""
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _split(batches: Sequence[Batch], outcomes: Outcomes, contradictions: list[Contradiction]) -> list[BatchReport]:
    reports = []
    start = 0
    for batch in batches:
        end = start + len(batch.columns)
        of_batch = [
            replace(each, row=int(batch.index[each.row - start]))
            for each in contradictions[_from(contradictions, start) : _from(contradictions, end)]
        ]
        rejected = sorted(batch.rejected, key=lambda refused: refused.index)
        reports.append(BatchReport(outcomes[start:end], of_batch, rejected))
        start = end
    return reports


def _from(contradictions: list[Contradiction], row: int) -> int:
    return bisect_left(contradictions, row, key=lambda each: each.row)
