"""Columns on their way to PostgreSQL: numpy arrays in its binary array format, without a Python object a value."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
from psycopg import postgres
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

from app.ingest.columns import Floats, Ints

# PostgreSQL counts microseconds from 2000.
POSTGRES_EPOCH_US = 946_684_800_000_000
HEADER = struct.Struct(">iiIii")


class Float8Array(bytes):
    """float8[]"""


class Int4Array(bytes):
    """int4[]"""


class TimestamptzArray(bytes):
    """timestamptz[]"""


ELEMENT = {Float8Array: "float8", Int4Array: "int4", TimestamptzArray: "timestamptz"}


class ArrayDumper(Dumper):
    """Hands the bytes over as they are."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


def _dumper(element: str) -> type[Dumper]:
    return type(f"{element}ArrayDumper", (ArrayDumper,), {"oid": postgres.types[element].array_oid})


DUMPERS = {kind: _dumper(element) for kind, element in ELEMENT.items()}


def register(connection: AdaptContext) -> None:
    """Teach one psycopg connection our three array types."""
    if connection.adapters is not None:
        for kind, dumper in DUMPERS.items():
            connection.adapters.register_dumper(kind, dumper)


def _pack(values: npt.NDArray[np.generic], width: int, kind: type[bytes]) -> bytes:
    cells = np.empty(len(values), dtype=[("length", ">i4"), ("value", values.dtype.newbyteorder(">"))])
    cells["length"] = width
    cells["value"] = values
    return HEADER.pack(1, 0, postgres.types[ELEMENT[kind]].oid, len(values), 1) + cells.tobytes()


def float8s(values: Floats) -> Float8Array:
    """NaN stays NaN: the statements take it for NULL."""
    return Float8Array(_pack(values, 8, Float8Array))


def int4s(values: Ints) -> Int4Array:
    return Int4Array(_pack(values.astype(np.int32), 4, Int4Array))


def timestamps(microseconds: Ints) -> TimestamptzArray:
    return TimestamptzArray(_pack(microseconds - POSTGRES_EPOCH_US, 8, TimestamptzArray))
