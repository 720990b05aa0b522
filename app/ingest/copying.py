"""New readings into PostgreSQL: rows of its binary COPY format, packed by numpy without an object a value."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.ingest.arrays import POSTGRES_EPOCH_US
from app.ingest.columns import Columns, Extra, Ints, Mask
from app.ingest.tables import CORE_CHANNELS

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = -1
JSONB_VERSION = b"\x01"
# A field is its length and its bytes: machine_id, measured_at, the named channels, and the length of `extra`.
ROW = np.dtype(
    [("fields", ">i2"), ("machine_id_length", ">i4"), ("machine_id", ">i4"), ("at_length", ">i4"), ("at", ">i8")]
    + [part for name in CORE_CHANNELS for part in ((f"{name}_length", ">i4"), (name, ">f8"))]
    + [("extra_length", ">i4")]
)
FIELDS = 3 + len(CORE_CHANNELS)


def copy_in(connection: Connection, statement: str, columns: Columns, machine_ids: Ints, rows: Ints) -> None:
    """Run `statement`, a COPY, with these rows. Raises what SQLAlchemy raises for any other statement."""
    if not len(rows):
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(binary_rows(columns, machine_ids, rows))
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=driver.closed,
            dialect=connection.dialect,
        ) from error


def binary_rows(columns: Columns, machine_ids: Ints, rows: Ints) -> bytes:
    """`rows` of the columns as machine_id, measured_at, the named channels (NaN is NULL), extra."""
    cells = np.empty(len(rows), dtype=ROW)
    cells["fields"] = FIELDS
    cells["machine_id_length"] = 4
    cells["machine_id"] = machine_ids[rows]
    cells["at_length"] = 8
    cells["at"] = columns.measured_us[rows] - POSTGRES_EPOCH_US
    measured = ~np.isnan(columns.values[rows])
    for number, name in enumerate(CORE_CHANNELS):
        cells[name] = columns.values[rows, number]
        cells[f"{name}_length"] = np.where(measured[:, number], 8, NULL)
    cells["extra_length"] = NULL
    extra = [columns.extra[row] for row in rows.tolist()] if any(columns.extra) else []
    return HEADER + (_with_extra(cells, measured, extra) if any(extra) else _packed(cells, measured)) + TRAILER


def _packed(cells: npt.NDArray[np.void], measured: Mask) -> bytes:
    """A NULL has no bytes at all, so its eight are taken out."""
    if measured.all():
        return cells.tobytes()
    return cells.view(np.uint8).reshape(len(cells), ROW.itemsize)[_kept(measured)].tobytes()


def _kept(measured: Mask) -> Mask:
    kept = np.ones((len(measured), ROW.itemsize), dtype=np.bool_)
    fields = ROW.fields
    assert fields is not None
    for number, name in enumerate(CORE_CHANNELS):
        start = fields[name][1]
        kept[:, start : start + 8] = measured[:, number, np.newaxis]
    return kept


def _with_extra(cells: npt.NDArray[np.void], measured: Mask, extra: Sequence[Extra | None]) -> bytes:
    texts = [JSONB_VERSION + msgspec.json.encode(each) if each else b"" for each in extra]
    cells["extra_length"] = [len(text) or NULL for text in texts]
    ends = np.cumsum(ROW.itemsize - 8 * (~measured).sum(axis=1)).tolist()
    return b"".join(_interleaved(_packed(cells, measured), ends, texts))


def _interleaved(packed: bytes, ends: Sequence[int], texts: Sequence[bytes]) -> Iterator[bytes]:
    start = 0
    for end, text in zip(ends, texts, strict=True):
        yield packed[start:end]
        yield text
        start = end
