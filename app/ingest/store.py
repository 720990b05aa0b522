"""Readings into PostgreSQL: look up what is there, decide, copy what is new, fill in or keep apart the rest.

Rows are written in the order of their key, so that two writers seldom wait for each other in a circle. They still
can, new rows being written before stored ones are filled in: PostgreSQL then ends one, and the writer tries again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from app.ingest.arrays import float8s, int4s, register, timestamps
from app.ingest.columns import Columns, Ints, Mask
from app.ingest.copying import copy_in
from app.ingest.incoming import INCOMING, NAMES, in_slices, says_no_more
from app.ingest.marks import touched
from app.ingest.merging import Contradiction, Outcome, Stored
from app.ingest.sorting import by_key, same_as_before
from app.ingest.tables import CORE_CHANNELS

ADD = f"COPY readings (machine_id, measured_at, {NAMES}, extra) FROM STDIN (FORMAT BINARY)"
# One look-up a row, whatever the planner guesses: a join of its choice may read a whole month.
COMPARE = f"""
    SELECT coalesce(array_agg(row), '{{}}'), coalesce(array_agg(row) FILTER (WHERE NOT same), '{{}}')
    FROM (
        SELECT row - 1 AS row, {says_no_more("i", "r")} AS same
        FROM ({INCOMING}) AS i CROSS JOIN LATERAL (
            SELECT * FROM readings
            WHERE machine_id = i.machine_id AND measured_at = i.measured_at LIMIT 1
        ) AS r
    ) AS compared
"""  # noqa: S608
LOCK = f"""
    SELECT r.machine_id, (extract(epoch FROM r.measured_at) * 1000000)::int8, {NAMES}, extra
    FROM (
        SELECT DISTINCT * FROM unnest(%(machine_id)s, %(measured_at)s) AS k (machine_id, measured_at) ORDER BY 1, 2
    ) AS key CROSS JOIN LATERAL (
        SELECT * FROM readings WHERE machine_id = key.machine_id AND measured_at = key.measured_at FOR UPDATE
    ) AS r
"""  # noqa: S608
# Every row is there and locked. As an UPDATE this would be a join of the planner's choice.
FILL = f"""
    INSERT INTO readings AS r (machine_id, measured_at, {NAMES}, extra)
    SELECT machine_id, measured_at, {", ".join(f"nullif({c}, 'NaN')" for c in CORE_CHANNELS)}, extra
    FROM ({INCOMING}) AS i
    ON CONFLICT (machine_id, measured_at) DO UPDATE SET
        {", ".join(f"{c} = coalesce(r.{c}, excluded.{c})" for c in CORE_CHANNELS)},
        extra = CASE WHEN excluded.extra IS NULL THEN r.extra ELSE excluded.extra || coalesce(r.extra, '{{}}') END
"""  # noqa: S608
TOUCH = """
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT * FROM unnest(%(machine_id)s, %(bucket_start)s) AS touched (machine_id, bucket_start)
"""
KEEP_CONFLICTS = """
    INSERT INTO reading_conflicts (machine_id, measured_at, channel, stored_value, refused_value, sender)
    SELECT * FROM unnest(%(machine_id)s, %(measured_at)s, %(channel)s::text[], %(stored)s, %(refused)s,
        %(sender)s::text[])
"""

Key = tuple[int, int]
Outcomes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Arriving:
    """Rows of known machines whose partitions exist; where two share a key, the earlier row comes first.

    surely_new: [rows] those that need no look-up; one that is there after all raises a unique violation.
    sender_of: [rows] the place of each row's sender in `senders`.
    """

    columns: Columns
    machine_ids: Ints
    surely_new: Mask
    senders: list[str]
    sender_of: Ints


@dataclass(frozen=True)
class StoredRows:
    """Per row an Outcome, and every contradiction."""

    outcomes: Outcomes
    contradictions: list[Contradiction]


def all_accepted(rows: int) -> StoredRows:
    return StoredRows(np.zeros(rows, np.int8), [])


def store_readings(connection: Connection, arriving: Arriving, packed: Mask, bucket_seconds: int) -> StoredRows:
    """`packed`: [rows] those that a block says already, as unpack_touched found.

    Raises sqlalchemy.exc.IntegrityError where a row taken for new was stored by someone else meanwhile."""
    register(connection.connection.driver_connection)  # type: ignore[arg-type]
    columns, machine_ids = arriving.columns, arriving.machine_ids
    order = by_key(machine_ids, columns.measured_us)
    order = order[~packed[order]]
    again = same_as_before(machine_ids[order], columns.measured_us[order])
    first, repeated = order[~again], order[again]
    there, differing = _compare(connection, columns, machine_ids, first[~arriving.surely_new[first]])
    new = first[~np.isin(first, there)] if len(there) else first
    copy_in(connection, ADD, columns, machine_ids, new)
    _, differing_repeated = _compare(connection, columns, machine_ids, repeated)
    outcomes = np.full(len(columns), Outcome.ACCEPTED, dtype=np.int8)
    outcomes[there] = outcomes[repeated] = outcomes[packed] = Outcome.DUPLICATE
    doubtful = np.sort(np.concatenate([differing, differing_repeated]))
    filled, contradictions = _merge(connection, columns, machine_ids, doubtful, outcomes)
    changed = np.concatenate([new, filled])
    _touch(connection, machine_ids[changed], columns.measured_us[changed], bucket_seconds)
    _keep(connection, contradictions, arriving)
    return StoredRows(outcomes, contradictions)


def _compare(connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Those of `rows` whose key is stored, and those of them that say something else than what is stored."""
    there, differing = [rows[:0]], [rows[:0]]
    for these, parameters in in_slices(columns, machine_ids, rows):
        [found] = connection.exec_driver_sql(COMPARE, parameters)
        for all_found, places in zip((there, differing), found, strict=True):
            all_found.append(these[np.array(places, dtype=np.int64)])
    return np.concatenate(there), np.concatenate(differing)


def _merge(
    connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints, outcomes: Outcomes
) -> tuple[Ints, list[Contradiction]]:
    """Fill in and compare, row by row in the order of arrival; these are few. The rows that filled something in."""
    contradictions: list[Contradiction] = []
    if not len(rows):
        return rows, contradictions
    stored = _lock(connection, columns, machine_ids, rows)
    for row in rows.tolist():
        reading = stored[int(machine_ids[row]), int(columns.measured_us[row])]
        outcomes[row], against = reading.merge(row, _channels(columns.values[row].tolist(), columns.extra[row]))
        contradictions += against
    filled = {key: reading.filled for key, reading in sorted(stored.items()) if reading.filled}
    if filled:
        for _, parameters in in_slices(*_as_columns(filled), np.arange(len(filled))):
            connection.exec_driver_sql(FILL, parameters)
    keys = zip(machine_ids[rows].tolist(), columns.measured_us[rows].tolist(), strict=True)
    return rows[np.array([key in filled for key in keys], dtype=np.bool_)], contradictions


def _lock(connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints) -> dict[Key, Stored]:
    keys = {"machine_id": int4s(machine_ids[rows]), "measured_at": timestamps(columns.measured_us[rows])}
    found = connection.exec_driver_sql(LOCK, keys)
    return {(machine, us): Stored(_channels(values, extra)) for machine, us, *values, extra in found}


def _channels(values: list[float | None], extra: dict[str, float] | None) -> dict[str, float]:
    named = zip(CORE_CHANNELS, values, strict=True)
    channels = {channel: value for channel, value in named if value is not None and value == value}
    return channels | {name: float(value) for name, value in (extra or {}).items()}


def _as_columns(filled: dict[Key, dict[str, float]]) -> tuple[Columns, Ints]:
    values = np.array([[channels.get(c, np.nan) for c in CORE_CHANNELS] for channels in filled.values()])
    extra = [
        {name: value for name, value in channels.items() if name not in CORE_CHANNELS} or None
        for channels in filled.values()
    ]
    keys = np.array(list(filled), dtype=np.int64)
    return Columns([""] * len(filled), keys[:, 1], values, extra), keys[:, 0]


def _touch(connection: Connection, machine_ids: Ints, measured_us: Ints, bucket_seconds: int) -> None:
    """Mark the buckets of these rows for their roll-up."""
    if len(machine_ids):
        marked, start_us = touched(machine_ids, measured_us, bucket_seconds)
        connection.exec_driver_sql(TOUCH, {"machine_id": int4s(marked), "bucket_start": timestamps(start_us)})


def _keep(connection: Connection, contradictions: list[Contradiction], arriving: Arriving) -> None:
    if contradictions:
        rows = np.array([each.row for each in contradictions], dtype=np.int64)
        kept = {
            "machine_id": int4s(arriving.machine_ids[rows]),
            "measured_at": timestamps(arriving.columns.measured_us[rows]),
            "channel": [each.channel for each in contradictions],
            "stored": float8s(np.array([each.stored for each in contradictions])),
            "refused": float8s(np.array([each.refused for each in contradictions])),
            "sender": [arriving.senders[sender] for sender in arriving.sender_of[rows].tolist()],
        }
        connection.exec_driver_sql(KEEP_CONFLICTS, kept)
