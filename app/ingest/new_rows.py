"""Rows that nothing stored can contradict -> the one message that stores, marks and accounts for them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import numpy as np

from app.ingest.arrivals import account, names
from app.ingest.columns import MICROSECONDS, Ints
from app.ingest.copying import binary_rows
from app.ingest.group import Group
from app.ingest.marks import touched
from app.ingest.merging import Outcome
from app.ingest.store import ADD
from app.settings import Settings

ACCOUNTED = ("sender", "machine_id", "accepted", "late", "least_lag_s", "largest_lag_s")
# The message is text, so its values are literals; these statements are planned once a connection.
PREPARED = (
    "SET standard_conforming_strings = on",
    """PREPARE wearwatch_touch (int4[], int8[]) AS
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT machine_id, to_timestamp(start) FROM unnest($1, $2) AS touched (machine_id, start)""",
    f"""PREPARE wearwatch_account (int8, jsonb, {", ".join("int4[]" for _ in ACCOUNTED)}) AS
    INSERT INTO arrivals (received_at, senders, {", ".join(ACCOUNTED)})
    VALUES (to_timestamp($1 / 1000000.0), ARRAY(SELECT jsonb_array_elements_text($2)),
        {", ".join(f"${number}" for number, _ in enumerate(ACCOUNTED, start=3))})""",  # noqa: S608  (our own names)
)


class NewRows(NamedTuple):
    """Readings of known machines, later than everything known of them, whose partitions exist.

    machine_ids: [rows of the group]. order: its rows in the order of their key, each key once.
    """

    group: Group
    machine_ids: Ints
    order: Ints


class Transaction(NamedTuple):
    """Statements that begin with a COPY, and its rows; all of it is done or nothing."""

    statements: bytes
    rows: bytes


def transaction(new: NewRows, now: datetime, settings: Settings) -> Transaction:
    """The rows, the marks of their buckets and their account. Pure."""
    columns, order, received_us = new.group.columns, new.order, int(now.timestamp() * MICROSECONDS)
    machine_ids, start_us = touched(new.machine_ids[order], columns.measured_us[order], settings.bucket_seconds)
    accounted = account(
        new.group.sender_of,
        new.machine_ids,
        columns.measured_us,
        np.full(len(columns), Outcome.ACCEPTED, np.int8),
        received_us,
        settings.late_after,
    )
    arrays = ", ".join(_array(accounted.get(name)) for name in ACCOUNTED)
    senders = names(new.group.senders).replace("'", "''")
    statements = (
        ADD,
        f"EXECUTE wearwatch_touch ({_array(machine_ids)}, {_array(start_us // MICROSECONDS)})",
        f"EXECUTE wearwatch_account ({received_us}, '{senders}', {arrays})",
    )
    return Transaction("; ".join(statements).encode(), binary_rows(columns, new.machine_ids, order))


def _array(numbers: Ints | None) -> str:
    return "NULL" if numbers is None else f"'{{{','.join(map(str, numbers.tolist()))}}}'"
