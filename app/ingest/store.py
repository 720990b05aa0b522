"""Readings into PostgreSQL: look up what is there, decide, copy what is new, fill in or keep apart the rest.

Rows are written in the order of their key, so that two writers never wait for each other in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from app.ingest.arrays import float8s, int4s, register, timestamps
from app.ingest.columns import MICROSECONDS, Columns, Ints, Mask
from app.ingest.copying import copy_in
from app.ingest.merging import Contradiction, Outcome, Stored
from app.ingest.tables import CORE_CHANNELS

COLUMNS = ", ".join(CORE_CHANNELS)
ADD = f"COPY readings (machine_id, measured_at, {COLUMNS}, extra) FROM STDIN (FORMAT BINARY)"
INCOMING = f"""
    SELECT machine_id, measured_at, {COLUMNS}, nullif(extra, 'null') AS extra, row
    FROM ROWS FROM (
        unnest(%(machine_id)s, %(measured_at)s, {", ".join(f"%({channel})s" for channel in CORE_CHANNELS)}),
        jsonb_array_elements(%(extra)s::jsonb)
    ) WITH ORDINALITY AS incoming (machine_id, measured_at, {COLUMNS}, extra, row)
"""  # noqa: S608  (column names of our own)
# One look-up a row, whatever the planner guesses: a join of its choice may read a whole month.
COMPARE = f"""
    SELECT coalesce(array_agg(row), '{{}}'), coalesce(array_agg(row) FILTER (WHERE NOT same), '{{}}')
    FROM (
        SELECT row - 1 AS row, ({" AND ".join(f"(i.{c} = 'NaN' OR i.{c} = r.{c}) IS TRUE" for c in CORE_CHANNELS)}
            AND (i.extra IS NULL OR r.extra @> i.extra) IS TRUE) AS same
        FROM ({INCOMING}) AS i CROSS JOIN LATERAL (
            SELECT * FROM readings
            WHERE machine_id = i.machine_id AND measured_at = i.measured_at LIMIT 1
        ) AS r
    ) AS compared
"""  # noqa: S608
LOCK = f"""
    SELECT machine_id, (extract(epoch FROM measured_at) * 1000000)::int8, {COLUMNS}, extra
    FROM readings
    JOIN (SELECT DISTINCT * FROM unnest(%(machine_id)s, %(measured_at)s) AS k (machine_id, measured_at)) AS keys
        USING (machine_id, measured_at)
    ORDER BY machine_id, measured_at FOR UPDATE OF readings
"""  # noqa: S608
FILL = f"""
    UPDATE readings SET
        {", ".join(f"{c} = coalesce(readings.{c}, nullif(incoming.{c}, 'NaN'))" for c in CORE_CHANNELS)},
        extra = CASE WHEN incoming.extra IS NULL THEN readings.extra
            ELSE incoming.extra || coalesce(readings.extra, '{{}}') END
    FROM ({INCOMING}) AS incoming
    WHERE readings.machine_id = incoming.machine_id AND readings.measured_at = incoming.measured_at
"""  # noqa: S608
TOUCH = """
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT * FROM unnest(%(machine_id)s, %(bucket_start)s) AS touched (machine_id, bucket_start)
"""
KEEP_CONFLICT = text(
    """INSERT INTO reading_conflicts (machine_id, measured_at, channel, stored_value, refused_value, sender)
    VALUES (:machine_id, to_timestamp(:measured_us / 1000000.0), :channel, :stored, :refused, :sender)"""
)

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


def store_readings(connection: Connection, arriving: Arriving, bucket_seconds: int) -> StoredRows:
    """Raises sqlalchemy.exc.IntegrityError where a row taken for new was stored by someone else meanwhile."""
    register(connection.connection.driver_connection)  # type: ignore[arg-type]
    columns, machine_ids = arriving.columns, arriving.machine_ids
    order = np.lexsort((columns.measured_us, machine_ids))
    again = _same_as_before(columns.measured_us[order], machine_ids[order])
    first, repeated = order[~again], order[again]
    there, differing = _compare(connection, columns, machine_ids, first[~arriving.surely_new[first]])
    new = first[~np.isin(first, there)] if len(there) else first
    copy_in(connection, ADD, columns, machine_ids, new)
    _, differing_repeated = _compare(connection, columns, machine_ids, repeated)
    outcomes = np.full(len(columns), Outcome.ACCEPTED, dtype=np.int8)
    outcomes[there] = outcomes[repeated] = Outcome.DUPLICATE
    doubtful = np.sort(np.concatenate([differing, differing_repeated]))
    filled, contradictions = _merge(connection, columns, machine_ids, doubtful, outcomes)
    changed = np.concatenate([new, filled])
    _touch(connection, machine_ids[changed], columns.measured_us[changed], bucket_seconds)
    _keep(connection, contradictions, arriving)
    return StoredRows(outcomes, contradictions)


def _same_as_before(measured_us: Ints, machine_ids: Ints) -> Mask:
    again = np.zeros(len(measured_us), dtype=np.bool_)
    again[1:] = (measured_us[1:] == measured_us[:-1]) & (machine_ids[1:] == machine_ids[:-1])
    return again


def _compare(connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Those of `rows` whose key is stored, and those of them that say something else than what is stored."""
    if not len(rows):
        return rows, rows
    [found] = connection.exec_driver_sql(COMPARE, _incoming(columns, machine_ids, rows))
    there, differing = (np.array(each, dtype=np.int64) for each in found)
    return rows[there], rows[differing]


def _incoming(columns: Columns, machine_ids: Ints, rows: Ints) -> dict[str, object]:
    values = columns.values[rows]
    extra = [columns.extra[row] for row in rows.tolist()] if any(columns.extra) else []
    parameters: dict[str, object] = {
        "machine_id": int4s(machine_ids[rows]),
        "measured_at": timestamps(columns.measured_us[rows]),
        "extra": msgspec.json.encode(extra).decode(),
    }
    return parameters | {channel: float8s(values[:, number]) for number, channel in enumerate(CORE_CHANNELS)}


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
        connection.exec_driver_sql(FILL, _incoming(*_as_columns(filled), np.arange(len(filled))))
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
    """Mark the buckets of these rows for their roll-up; rows in the order of their key mark each once."""
    if len(machine_ids):
        start_us = measured_us - measured_us % (bucket_seconds * MICROSECONDS)
        marked = ~_same_as_before(start_us, machine_ids)
        marks = {"machine_id": int4s(machine_ids[marked]), "bucket_start": timestamps(start_us[marked])}
        connection.exec_driver_sql(TOUCH, marks)


def _keep(connection: Connection, contradictions: list[Contradiction], arriving: Arriving) -> None:
    if contradictions:
        connection.execute(
            KEEP_CONFLICT,
            [
                {
                    "machine_id": int(arriving.machine_ids[each.row]),
                    "measured_us": int(arriving.columns.measured_us[each.row]),
                    "channel": each.channel,
                    "stored": each.stored,
                    "refused": each.refused,
                    "sender": arriving.senders[arriving.sender_of[each.row]],
                }
                for each in contradictions
            ],
        )
