"""Batches of several senders into the database in one transaction; requests and imports both come through here.

What is surely new can be appended (appending.py); what may be there already is reconciled with it (store.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from app.database import Bind, KeptConnection
from app.errors import Unavailable
from app.ingest.arrivals import account, record
from app.ingest.columns import MICROSECONDS, Ints
from app.ingest.group import MOST_LEDGER_ROWS, Batch, BatchReport, Group
from app.ingest.machines import KnownMachines
from app.ingest.new_rows import NewRows
from app.ingest.newest import Newest
from app.ingest.packing import NEVER_PACKED, unpack_touched
from app.ingest.partitions import ensure_partitions, months_of
from app.ingest.plausibility import LONGEST_PAYLOAD, Fault, Rejection, implausible
from app.ingest.refusals import count_refused
from app.ingest.retention import too_old
from app.ingest.sorting import by_key, same_as_before
from app.ingest.store import Arriving, StoredRows, store_readings
from app.ingest.tables import RejectedReading
from app.settings import Settings

# Unique violation and deadlock: two processes store the same rows at the same time.
MET_ANOTHER_WRITER = ("23505", "40P01")
# No partition for a row: the worker dropped the month that it had packed.
NO_PARTITION = "23514"
MOST_TRIES = 6
# From the key of each partition, the newest first.
NEWEST = """
    SELECT machine_id, (extract(epoch FROM newest.measured_at) * 1000000)::int8
    FROM unnest(%(machine_ids)s::int[]) AS each (machine_id) CROSS JOIN LATERAL (
        SELECT measured_at FROM readings WHERE readings.machine_id = each.machine_id
        ORDER BY measured_at DESC LIMIT 1
    ) AS newest
"""


UNKNOWN_MACHINE: Fault = (
    "machine",
    "the machine is not known; add it, or send with a key that may register machines",
)


@dataclass(frozen=True)
class Checked:
    """Batches, and the rows of them that could be stored as far as they tell by themselves."""

    batches: Sequence[Batch]
    group: Group
    now: datetime


class Writer:
    """Remembers which machines and months the database knows, and how far each machine's readings go."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self._bind = bind
        self._connection = KeptConnection(bind)
        self._settings = settings
        self._machines = KnownMachines(bind)
        self._months: set[int] = set()
        self._newest = Newest()

    def write(self, batches: Sequence[Batch]) -> list[BatchReport]:
        """All batches or none: returns after the commit. Earlier batches come first where rows share a key."""
        return self.reconcile(self.check(batches))

    def check(self, batches: Sequence[Batch]) -> Checked:
        """Without the database."""
        group, now = Group.of(batches), datetime.now(UTC)
        group = group.refuse(implausible(group.columns, now, self._settings.max_future))
        group = group.refuse(too_old(group.columns, now, self._settings.keep_readings))
        return Checked(batches, group, now)

    def new_rows(self, checked: Checked) -> NewRows | None:
        """What can be appended as it is, where that is all; without the database."""
        group, times = checked.group, checked.group.columns.measured_us
        if not len(times) or any(group.rejected):
            return None
        ends = np.array([times.min(), times.max()])
        packed_before_us = int((checked.now - NEVER_PACKED).timestamp() * MICROSECONDS)
        machine_ids = self._machines.all_known(group.columns.machine)
        if machine_ids is None or ends[0] < packed_before_us or not months_of(ends) <= self._months:
            return None
        order = by_key(machine_ids, times)
        if same_as_before(machine_ids[order], times[order]).any():
            return None
        return NewRows(group, machine_ids, order) if self._newest.surely_new(machine_ids, times).all() else None

    def learn(self, new: NewRows) -> None:
        """They are stored."""
        self._newest.learn(new.machine_ids, new.group.columns.measured_us)

    def distrust(self) -> None:
        """Another process wrote what was taken for new, or dropped a month."""
        self._newest.distrust()
        self._months = set()

    def reconcile(self, checked: Checked) -> list[BatchReport]:
        """Returns after the commit."""
        if self._connection.has_changed():
            self.forget()
        ids = self._ids(checked.group, checked.batches)
        group = checked.group.refuse(_unknown(checked.group.columns.machine, ids))
        return group.reports(self._store(group, ids, checked.now))

    def close(self) -> None:
        self._connection.close()

    def begin_anew(self) -> None:
        """After an error, whatever it was: with another connection, and nothing taken for granted."""
        self._connection.close()
        self.forget()

    def forget(self) -> None:
        """Ask the database again: it may have been restored, or a month dropped."""
        self._machines.forget()
        self._months = set()
        self._newest = Newest()

    def _store(self, group: Group, ids: Mapping[str, int], now: datetime) -> StoredRows:
        """Another process may store the same row between our look-up and our write: then both are done again."""
        machine_ids = np.array([ids[key] for key in group.columns.machine], dtype=np.int64)
        for tries_left in reversed(range(MOST_TRIES)):
            surely_new = self._newest.surely_new(machine_ids, group.columns.measured_us)
            arriving = Arriving(group.columns, machine_ids, surely_new, group.senders, group.sender_of)
            try:
                self._ensure_months(group.columns.measured_us)
                with self._connection.transaction() as connection:
                    stored = self._write(connection, arriving, group, ids, now)
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state not in (NO_PARTITION, *MET_ANOTHER_WRITER) or (state == NO_PARTITION and not tries_left):
                    raise
                if not tries_left:
                    raise Unavailable("Others store the same readings; try again.", retry_after=1) from error
                self.distrust()
            else:
                self._learn_unknown(np.unique(machine_ids))
                self._newest.learn(machine_ids, group.columns.measured_us)
                return stored
        raise AssertionError("the last try returns or raises")

    def _learn_unknown(self, machine_ids: Ints) -> None:
        """What was just stored may be long past: the database knows what is the newest."""
        unknown = self._newest.unknown(machine_ids)
        if len(unknown):
            with self._connection.transaction() as connection:
                found = connection.exec_driver_sql(NEWEST, {"machine_ids": unknown.tolist()}).all()
            ids, newest_us = np.array(found, dtype=np.int64).reshape(-1, 2).T
            self._newest.learn(ids, newest_us)

    def _write(
        self, connection: Connection, arriving: Arriving, group: Group, ids: Mapping[str, int], now: datetime
    ) -> StoredRows:
        """The rows, those refused, and the account of both, in one transaction."""
        packed = unpack_touched(connection, arriving.columns, arriving.machine_ids)
        stored = store_readings(connection, arriving, packed, self._settings.bucket_seconds)
        refused = group.refused_by_sender()
        _keep_rejected(connection, group.senders, refused)
        received_us = int(now.timestamp() * MICROSECONDS)
        times, late_after = arriving.columns.measured_us, self._settings.late_after
        accounted = account(group.sender_of, arriving.machine_ids, times, stored.outcomes, received_us, late_after)
        record(connection, group.senders, accounted, received_us, count_refused(refused, ids))
        return stored

    def _ids(self, group: Group, batches: Sequence[Batch]) -> dict[str, int]:
        """Of the rows to store, and of those refused, for their account; only the first may add machines."""
        register = keys = set(group.columns.machine)
        if not all(batch.may_register for batch in batches):
            may = [batches[batch].may_register for batch in group.batch_of.tolist()]
            register = {key for key, allowed in zip(group.columns.machine, may, strict=True) if allowed}
        return self._machines.ids(keys | group.refused_machines(), register)

    def _ensure_months(self, measured_us: Ints) -> None:
        missing = months_of(measured_us) - self._months
        if missing:
            ensure_partitions(self._bind, missing)
            self._months |= missing


def _unknown(keys: Sequence[str], ids: Mapping[str, int]) -> dict[int, Fault]:
    if set(keys) <= ids.keys():
        return {}
    return {row: UNKNOWN_MACHINE for row, key in enumerate(keys) if key not in ids}


def _keep_rejected(connection: Connection, senders: Sequence[str], rejected: Sequence[list[Rejection]]) -> None:
    rows = [
        {
            "machine": _storable(refused.machine, 100) if refused.machine is not None else None,
            "field": _storable(refused.field, 200) if refused.field is not None else None,
            "reason": _storable(refused.reason, 500),
            "payload": _storable(refused.payload, LONGEST_PAYLOAD),
            "sender": sender,
        }
        for sender, refused_rows in zip(senders, rejected, strict=True)
        for refused in refused_rows[:MOST_LEDGER_ROWS]
    ]
    if rows:
        connection.execute(insert(RejectedReading), rows)


def _storable(text: str, longest: int) -> str:
    """PostgreSQL's text holds neither NUL nor half a surrogate pair."""
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
