"""Roll-ups out of the database as arrays: PostgreSQL packs each machine's channel, so no row is touched in Python.

Measured for 2 million roll-ups: binary COPY row by row 7.2 s, packed arrays 1.4 s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np
import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from ml.features.history import Floats, Ints

STATISTICS = ("n", "mean", "std", "min", "max", "last")
# PostgreSQL's times count microseconds from 2000-01-01.
EPOCH_2000 = 946_684_800
# One packed row must stay far below PostgreSQL's limit of 1 GB, also for a bucket of one second.
PACKED = """
    COPY (
        SELECT machine_id, channel_id, array_agg(bucket_start),
               array_agg(n::float8), array_agg(mean), array_agg(std),
               array_agg(min), array_agg(max), array_agg(last)
        FROM rollups WHERE machine_id = ANY(%s) AND bucket_start <= %s
        GROUP BY machine_id, channel_id, date_bin('30 days', bucket_start, '2000-01-01')
    ) TO STDOUT (FORMAT binary)
"""
# So many fit into this memory for sorting, whatever the fleet's size.
MACHINES_AT_ONCE, WORK_MEMORY = 20, "64MB"
SIGNATURE_BYTES, ARRAY_HEADER_BYTES = 19, 20
TIMES = np.dtype([("length", ">i4"), ("value", ">i8")])
NUMBERS = np.dtype([("length", ">i4"), ("value", ">f8")])


@dataclass(frozen=True)
class Packed:
    """Some buckets of one machine and channel; `statistics` is [6, buckets] in the order of STATISTICS."""

    machine_id: int
    channel_id: int
    start: Ints
    statistics: Floats


def packed_rollups(session: Session, machine_ids: Sequence[int], newest: datetime) -> Iterator[Packed]:
    """Roll-ups of these machines with bucket_start <= newest, in no order; `start` in epoch seconds."""
    connection = cast("psycopg.Connection", session.connection().connection.driver_connection)
    session.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
    for first in range(0, len(machine_ids), MACHINES_AT_ONCE):
        some = list(machine_ids[first : first + MACHINES_AT_ONCE])
        with connection.cursor() as cursor, cursor.copy(PACKED, (some, newest)) as copy:
            yield from map(_unpacked, _rows(copy))


def _rows(copy: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """Each message is one row; the first has the signature in front, and a row of -1 fields ends the stream."""
    for number, message in enumerate(copy):
        row = bytes(message)[0 if number else SIGNATURE_BYTES :]
        if len(row) > 2 and struct.unpack_from(">h", row)[0] > 0:
            yield row


def _unpacked(row: bytes) -> Packed:
    position, fields = 2, []
    for _ in range(struct.unpack_from(">h", row)[0]):
        (length,) = struct.unpack_from(">i", row, position)
        fields.append(memoryview(row)[position + 4 : position + 4 + length])
        position += 4 + length
    machine_id, channel_id = (int.from_bytes(field, "big", signed=True) for field in fields[:2])
    start = np.frombuffer(fields[2][ARRAY_HEADER_BYTES:], TIMES)["value"] // 1_000_000 + EPOCH_2000
    values = [np.frombuffer(field[ARRAY_HEADER_BYTES:], NUMBERS)["value"] for field in fields[3:]]
    return Packed(machine_id, channel_id, start.astype(np.int64), np.array(values, dtype=np.float64))
