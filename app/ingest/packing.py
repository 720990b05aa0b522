"""Old readings in one row a machine and day, a tenth to a third of the size; and back to rows where one is needed.

A row and a block of the same machine and day may lie beside each other: late readings become rows, and a later
round packs them too. What must never happen is one key in both. Two rules keep that:

- whoever writes readings older than NEVER_PACKED shares the lock of the machine's slot; whoever packs has it alone;
- a row whose key lies in a block is only written after the block was turned back into rows; one that says no more
  than the block does is not written at all.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, text

from app.ingest.arrays import int4s, register, timestamps
from app.ingest.columns import EPOCH, MICROSECOND, Columns, Ints, Mask
from app.ingest.incoming import INCOMING, in_slices, says_no_more
from app.ingest.tables import CORE_CHANNELS

DAY = timedelta(days=1)
# Packing stays a day behind this bound, so that the hosts' clocks may differ. Writers of newer rows pay nothing.
NEVER_PACKED = DAY
# A lock a machine would fill the server's lock table in one large batch; one for all would stop every late sender.
SLOTS = 64
LOCK_CLASS = 739_284
COLUMNS = ("measured_at", "received_at", *CORE_CHANNELS, "extra")
COMPARED = ("measured_at", *CORE_CHANNELS, "extra")
SHARE_SLOTS = """
    SELECT pg_advisory_xact_lock_shared(%(class)s, slot) FROM (
        SELECT DISTINCT machine_id %% %(slots)s AS slot FROM unnest(%(machine_id)s) AS machine_id ORDER BY slot
    ) AS slots
"""
# Detoasted once a block, then searched by halves: its times are in order. The first and the last place that is hit.
BLOCKS_WITH_SAME_KEY = """
    WITH incoming AS MATERIALIZED (
        SELECT machine_id, (measured_at AT TIME ZONE 'UTC')::date AS day, array_agg(measured_at) AS times
        FROM unnest(%(machine_id)s, %(measured_at)s) AS row (machine_id, measured_at) GROUP BY machine_id, day
    )
    SELECT incoming.machine_id, incoming.day, hit.first, hit.last
    FROM incoming CROSS JOIN LATERAL (
        SELECT array_cat(measured_at, '{}') AS times FROM reading_blocks AS b
        WHERE b.machine_id = incoming.machine_id AND b.day = incoming.day OFFSET 0
    ) AS block CROSS JOIN LATERAL (
        SELECT min(place) AS first, max(place) AS last
        FROM unnest(incoming.times) AS at, width_bucket(at, block.times) AS place WHERE block.times[place] = at
    ) AS hit
    WHERE hit.first IS NOT NULL
    ORDER BY machine_id, day
"""
# FULL, so that it is never a loop over both sides, whatever the planner guesses.
COMPARE = f"""
    SELECT coalesce(array_agg(row - 1) FILTER (WHERE there AND row IS NOT NULL), '{{}}'),
        coalesce(array_agg(row - 1) FILTER (
            WHERE there AND row IS NOT NULL AND NOT {says_no_more("i", "b")}
        ), '{{}}')
    FROM ({INCOMING}) AS i FULL JOIN (
        SELECT true AS there, machine_id, {", ".join(f"unnest({c}[first:last]) AS {c}" for c in COMPARED)}
        FROM unnest(%(of_machine)s::int[], %(of_day)s::date[], %(first)s::int[], %(last)s::int[])
            AS touched (of_machine, of_day, first, last)
        CROSS JOIN LATERAL (
            SELECT * FROM reading_blocks WHERE machine_id = of_machine AND day = of_day OFFSET 0
        ) AS block
    ) AS b USING (machine_id, measured_at)
"""  # noqa: S608
LOCK_BLOCKS = text(
    """SELECT b.machine_id, b.day
    FROM unnest(CAST(:machines AS int[]), CAST(:days AS date[])) AS key (machine_id, day) CROSS JOIN LATERAL (
        SELECT machine_id, day FROM reading_blocks AS each
        WHERE each.machine_id = key.machine_id AND each.day = key.day FOR UPDATE
    ) AS b"""
)
UNPACK = text(
    f"""WITH gone AS (
        DELETE FROM reading_blocks AS b
        USING unnest(CAST(:machines AS int[]), CAST(:days AS date[])) AS key (machine_id, day)
        WHERE b.machine_id = key.machine_id AND b.day = key.day
        RETURNING b.*
    )
    INSERT INTO readings (machine_id, {", ".join(COLUMNS)})
    SELECT machine_id, {", ".join(f"unnest({column})" for column in COLUMNS)} FROM gone"""  # noqa: S608
)

MachineDay = tuple[int, date]


class Touched(NamedTuple):
    """A block and the places of its first and last reading whose key came again."""

    of_machine: int
    of_day: date
    first: int
    last: int


def unpack_touched(connection: Connection, columns: Columns, machine_ids: Ints) -> Mask:
    """Before old rows are looked up and written: blocks that one adds to or contradicts become rows.

    Returns [rows] those that a block says already: nothing is to be done for them. Until the transaction ends
    nobody packs these machines. Their partitions of `readings` must exist.
    """
    packed = np.zeros(len(columns), dtype=np.bool_)
    old = np.flatnonzero(columns.measured_us < time.time_ns() // 1000 - NEVER_PACKED // MICROSECOND)
    if len(old):
        register(connection.connection.driver_connection)  # type: ignore[arg-type]
        touched = _touched(connection, machine_ids[old], columns.measured_us[old])
        there, differing = _compare(connection, columns, machine_ids, old, touched)
        days = columns.measured_us // (DAY // MICROSECOND)
        changing = sorted(set(zip(machine_ids[differing].tolist(), days[differing].tolist(), strict=True)))
        unpack(connection, [(machine, EPOCH.date() + day * DAY) for machine, day in changing])
        packed[[row for row in there.tolist() if (machine_ids[row], days[row]) not in set(changing)]] = True
    return packed


def _touched(connection: Connection, machine_ids: Ints, measured_us: Ints) -> list[Touched]:
    slots = {"class": LOCK_CLASS, "slots": SLOTS, "machine_id": int4s(np.unique(machine_ids))}
    connection.exec_driver_sql(SHARE_SLOTS, slots)
    keys = {"machine_id": int4s(machine_ids), "measured_at": timestamps(measured_us)}
    return [Touched(*row) for row in connection.exec_driver_sql(BLOCKS_WITH_SAME_KEY, keys)]


def _compare(
    connection: Connection, columns: Columns, machine_ids: Ints, rows: Ints, touched: list[Touched]
) -> tuple[Ints, Ints]:
    """Those of `rows` whose key lies in a block, and those of them that say something else."""
    there, differing = [rows[:0]], [rows[:0]]
    if touched:
        blocks = {field: [getattr(each, field) for each in touched] for field in Touched._fields}
        for these, parameters in in_slices(columns, machine_ids, rows):
            [found] = connection.exec_driver_sql(COMPARE, parameters | blocks)
            for all_found, places in zip((there, differing), found, strict=True):
                all_found.append(these[np.array(places, dtype=np.int64)])
    return np.concatenate(there), np.concatenate(differing)


def unpack(connection: Connection, days: list[MachineDay]) -> None:
    """Blocks -> rows, in the order given, which must be rising; those that are gone already are left out."""
    if days:
        keys = {"machines": [machine for machine, _ in days], "days": [day for _, day in days]}
        connection.execute(LOCK_BLOCKS, keys)
        connection.execute(UNPACK, keys)
