"""Readings into PostgreSQL: columns in one statement; what was there before is compared, filled in or kept apart.

Rows are written in the order of their key, so that two writers never wait for each other in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.ingest.arrays import float8s, int4s, register, timestamps
from app.ingest.columns import Columns, Ints
from app.ingest.merging import Contradiction, Outcome, Stored
from app.ingest.tables import CORE_CHANNELS

COLUMNS = ", ".join(CORE_CHANNELS)
INCOMING = f"""
    SELECT machine_id, measured_at, {COLUMNS}, nullif(extra, 'null') AS extra, row
    FROM ROWS FROM (
        unnest(%(machine_id)s, %(measured_at)s, {", ".join(f"%({channel})s" for channel in CORE_CHANNELS)}),
        jsonb_array_elements(%(extra)s::jsonb)
    ) WITH ORDINALITY AS incoming (machine_id, measured_at, {COLUMNS}, extra, row)
"""  # noqa: S608  (column names of our own)
# EXCEPT hashes whatever the planner guesses about the arrays' length; an anti-join may turn quadratic.
ADD = f"""
    WITH incoming AS MATERIALIZED ({INCOMING}), added AS (
        INSERT INTO readings (machine_id, measured_at, {COLUMNS}, extra)
        SELECT machine_id, measured_at, {", ".join(f"nullif({channel}, 'NaN')" for channel in CORE_CHANNELS)}, extra
        FROM incoming
        ON CONFLICT DO NOTHING
        RETURNING machine_id, measured_at
    ), touched AS (
        INSERT INTO touched_buckets (machine_id, bucket_start)
        SELECT DISTINCT machine_id, date_bin(make_interval(secs => %(bucket_seconds)s), measured_at, 'epoch')
        FROM added
    )
    SELECT machine_id, (extract(epoch FROM measured_at) * 1000000)::int8
    FROM (SELECT machine_id, measured_at FROM incoming EXCEPT SELECT machine_id, measured_at FROM added) AS missed
"""  # noqa: S608
DIFFERING = f"""
    SELECT row - 1 FROM ({INCOMING}) AS i JOIN readings AS r USING (machine_id, measured_at)
    WHERE NOT ({" AND ".join(f"(i.{c} = 'NaN' OR i.{c} = r.{c}) IS TRUE" for c in CORE_CHANNELS)}
        AND (i.extra IS NULL OR r.extra @> i.extra) IS TRUE)
"""  # noqa: S608
LOCK = f"""
    SELECT machine_id, (extract(epoch FROM measured_at) * 1000000)::int8, {COLUMNS}, extra
    FROM readings
    JOIN (SELECT DISTINCT * FROM unnest(%(machine_id)s, %(measured_at)s) AS k (machine_id, measured_at)) AS keys
        USING (machine_id, measured_at)
    ORDER BY machine_id, measured_at FOR UPDATE OF readings
"""  # noqa: S608
FILL = f"""
    WITH incoming AS ({INCOMING}), filled AS (
        UPDATE readings SET
            {", ".join(f"{c} = coalesce(readings.{c}, nullif(incoming.{c}, 'NaN'))" for c in CORE_CHANNELS)},
            extra = CASE WHEN incoming.extra IS NULL THEN readings.extra
                ELSE incoming.extra || coalesce(readings.extra, '{{}}') END
        FROM incoming
        WHERE readings.machine_id = incoming.machine_id AND readings.measured_at = incoming.measured_at
        RETURNING readings.machine_id, readings.measured_at
    )
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT DISTINCT machine_id, date_bin(make_interval(secs => %(bucket_seconds)s), measured_at, 'epoch')
    FROM filled
"""  # noqa: S608
KEEP_CONFLICT = text(
    """INSERT INTO reading_conflicts (machine_id, measured_at, channel, stored_value, refused_value, sender)
    VALUES (:machine_id, to_timestamp(:measured_us / 1000000.0), :channel, :stored, :refused, :sender)"""
)

Key = tuple[int, int]
Outcomes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class StoredRows:
    """Per row an Outcome, and every contradiction."""

    outcomes: Outcomes
    contradictions: list[Contradiction]


def store_readings(
    session: Session, columns: Columns, machine_ids: Ints, senders: list[str], bucket_seconds: int
) -> StoredRows:
    """Store rows of known machines whose partitions exist. Earlier rows come first where two share a key."""
    connection = session.connection()
    register(connection.connection.driver_connection)  # type: ignore[arg-type]
    order = np.lexsort((columns.measured_us, machine_ids))
    again = _same_as_before(columns.measured_us[order], machine_ids[order])
    first = order[~again]
    missed = _add(connection, columns, machine_ids, first, bucket_seconds)
    seen_before = np.sort(np.concatenate([first[missed], order[again]]))
    outcomes = np.full(len(columns), Outcome.ACCEPTED, dtype=np.int8)
    outcomes[seen_before] = Outcome.DUPLICATE
    contradictions: list[Contradiction] = []
    if len(seen_before):
        found = _execute(connection, DIFFERING, columns, machine_ids, seen_before)
        differing = seen_before[np.sort(np.array([row for (row,) in found], dtype=np.int64))]
        contradictions = _merge(connection, columns, machine_ids, differing, outcomes, bucket_seconds)
        _keep(session, contradictions, columns, machine_ids, senders)
    return StoredRows(outcomes, contradictions)


def _same_as_before(measured_us: Ints, machine_ids: Ints) -> npt.NDArray[np.bool_]:
    again = np.zeros(len(measured_us), dtype=np.bool_)
    again[1:] = (measured_us[1:] == measured_us[:-1]) & (machine_ids[1:] == machine_ids[:-1])
    return again


def _add(
    connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints, bucket_seconds: int
) -> npt.NDArray[np.bool_]:
    """Insert rows with distinct keys; True where one was there already."""
    missed = set(map(tuple, _execute(connection, ADD, columns, machine_ids, rows, bucket_seconds)))
    if not missed:
        return np.zeros(len(rows), dtype=np.bool_)
    keys = zip(machine_ids[rows].tolist(), columns.measured_us[rows].tolist(), strict=True)
    return np.array([key in missed for key in keys], dtype=np.bool_)


def _execute(
    connection: Connection, statement: str, columns: Columns, machine_ids: Ints, rows: Ints, bucket_seconds: int = 0
) -> list[Any]:
    values = columns.values[rows]
    extra = [columns.extra[row] for row in rows.tolist()] if any(columns.extra) else []
    parameters: dict[str, object] = {
        "machine_id": int4s(machine_ids[rows]),
        "measured_at": timestamps(columns.measured_us[rows]),
        "extra": msgspec.json.encode(extra).decode(),
        "bucket_seconds": bucket_seconds,
    }
    parameters |= {channel: float8s(values[:, number]) for number, channel in enumerate(CORE_CHANNELS)}
    result = connection.exec_driver_sql(statement, parameters)
    return list(result) if result.returns_rows else []


def _merge(
    connection: Connection,
    columns: Columns,
    machine_ids: Ints,
    rows: Ints,
    outcomes: Outcomes,
    bucket_seconds: int,
) -> list[Contradiction]:
    """Fill in and compare, row by row in the order of arrival; these are few."""
    if not len(rows):
        return []
    stored = _lock(connection, columns, machine_ids, rows)
    contradictions: list[Contradiction] = []
    for row in rows.tolist():
        reading = stored[int(machine_ids[row]), int(columns.measured_us[row])]
        outcomes[row], against = reading.merge(row, _channels(columns.values[row].tolist(), columns.extra[row]))
        contradictions += against
    filled = {key: reading.filled for key, reading in sorted(stored.items()) if reading.filled}
    if filled:
        _execute(connection, FILL, *_as_columns(filled), np.arange(len(filled)), bucket_seconds)
    return contradictions


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


def _keep(
    session: Session, contradictions: list[Contradiction], columns: Columns, machine_ids: Ints, senders: list[str]
) -> None:
    if contradictions:
        session.execute(
            KEEP_CONFLICT,
            [
                {
                    "machine_id": int(machine_ids[each.row]),
                    "measured_us": int(columns.measured_us[each.row]),
                    "channel": each.channel,
                    "stored": each.stored,
                    "refused": each.refused,
                    "sender": senders[each.row],
                }
                for each in contradictions
            ],
        )
