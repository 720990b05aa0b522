"""Old readings in one row a machine and day, a tenth to a third of the size; and back to rows where one is needed.

A row and a block of the same machine and day may lie beside each other: late readings become rows, and a later
round packs them too. What must never happen is one key in both. Two rules keep that:

- whoever writes readings older than NEVER_PACKED shares the lock of the machine's slot; whoever packs has it alone;
- a row whose key lies in a block is only written after the block was turned back into rows.
"""

from __future__ import annotations

import time
from datetime import date, timedelta

import numpy as np
from sqlalchemy import Connection, text

from app.ingest.arrays import int4s, register, timestamps
from app.ingest.columns import Ints
from app.ingest.tables import CORE_CHANNELS

# Packing stays a day behind this bound, so that the hosts' clocks may differ. Writers of newer rows pay nothing.
NEVER_PACKED = timedelta(days=1)
# A lock a machine would fill the server's lock table in one large batch; one for all would stop every late sender.
SLOTS = 64
LOCK_CLASS = 739_284
COLUMNS = ("measured_at", "received_at", *CORE_CHANNELS, "extra")
SHARE_SLOTS = """
    SELECT pg_advisory_xact_lock_shared(%(class)s, slot) FROM (
        SELECT DISTINCT machine_id %% %(slots)s AS slot FROM unnest(%(machine_id)s) AS machine_id ORDER BY slot
    ) AS slots
"""
# Unpacked once a block, then searched by halves: its times are in order.
BLOCKS_WITH_SAME_KEY = """
    WITH incoming AS MATERIALIZED (
        SELECT machine_id, (measured_at AT TIME ZONE 'UTC')::date AS day, array_agg(measured_at) AS times
        FROM unnest(%(machine_id)s, %(measured_at)s) AS row (machine_id, measured_at) GROUP BY machine_id, day
    )
    SELECT incoming.machine_id, incoming.day
    FROM incoming CROSS JOIN LATERAL (
        SELECT array_cat(measured_at, '{}') AS times FROM reading_blocks AS b
        WHERE b.machine_id = incoming.machine_id AND b.day = incoming.day OFFSET 0
    ) AS block
    WHERE EXISTS (
        SELECT FROM unnest(incoming.times) AS at WHERE block.times[width_bucket(at, block.times)] = at
    )
    ORDER BY machine_id, day
"""
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


def unpack_touched(connection: Connection, machine_ids: Ints, measured_us: Ints) -> None:
    """Before old rows are looked up and written: turn blocks that hold one of their keys back into rows.

    Until the transaction ends nobody packs these machines. Their partitions of `readings` must exist.
    """
    old = measured_us < time.time_ns() // 1000 - NEVER_PACKED // timedelta(microseconds=1)
    if not old.any():
        return
    register(connection.connection.driver_connection)  # type: ignore[arg-type]
    unpack(connection, _touched(connection, machine_ids[old], measured_us[old]))


def _touched(connection: Connection, machine_ids: Ints, measured_us: Ints) -> list[MachineDay]:
    slots = {"class": LOCK_CLASS, "slots": SLOTS, "machine_id": int4s(np.unique(machine_ids))}
    connection.exec_driver_sql(SHARE_SLOTS, slots)
    keys = {"machine_id": int4s(machine_ids), "measured_at": timestamps(measured_us)}
    return [(machine, day) for machine, day in connection.exec_driver_sql(BLOCKS_WITH_SAME_KEY, keys)]


def unpack(connection: Connection, days: list[MachineDay]) -> None:
    """Blocks -> rows, in the order given, which must be rising; those that are gone already are left out."""
    if days:
        keys = {"machines": [machine for machine, _ in days], "days": [day for _, day in days]}
        connection.execute(LOCK_BLOCKS, keys)
        connection.execute(UNPACK, keys)
