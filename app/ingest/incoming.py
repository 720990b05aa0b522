"""Rows of a batch as a statement sees them: arrays of the columns, unnested side by side."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from app.ingest.arrays import float8s, int4s, timestamps
from app.ingest.columns import Columns, Ints
from app.ingest.tables import CORE_CHANNELS

# All `extra` travel as one jsonb array, which holds 256 MiB at most; as jsonb the text grows to 3.4 times its size
# in the worst case, a name of one letter with a value of one digit.
MOST_EXTRA_BYTES = 32_000_000
NAMES = ", ".join(CORE_CHANNELS)
# As a sub-select: machine_id, measured_at, the channels ('NaN' where there is none), extra, row (from 1 on).
INCOMING = f"""
    SELECT machine_id, measured_at, {NAMES}, nullif(extra, 'null') AS extra, row
    FROM ROWS FROM (
        unnest(%(machine_id)s, %(measured_at)s, {", ".join(f"%({channel})s" for channel in CORE_CHANNELS)}),
        jsonb_array_elements(%(extra)s::jsonb)
    ) WITH ORDINALITY AS incoming (machine_id, measured_at, {NAMES}, extra, row)
"""  # noqa: S608  (column names of our own)


def says_no_more(incoming: str, stored: str) -> str:
    """SQL: whether a row neither fills in nor contradicts anything of a stored reading."""
    same = (f"({incoming}.{c} = 'NaN' OR {incoming}.{c} = {stored}.{c}) IS TRUE" for c in CORE_CHANNELS)
    return f"({' AND '.join(same)} AND ({incoming}.extra IS NULL OR {stored}.extra @> {incoming}.extra) IS TRUE)"


def in_slices(columns: Columns, machine_ids: Ints, rows: Ints) -> Iterator[tuple[Ints, dict[str, object]]]:
    """`rows` and the parameters of INCOMING, so many at once as their `extra` may travel together."""
    if not len(rows):
        return
    if not any(columns.extra):
        yield rows, _parameters(columns, machine_ids, rows, b"")
        return
    extra = [msgspec.json.encode(columns.extra[row]) for row in rows.tolist()]
    pages = np.cumsum([len(each) + 1 for each in extra]) // MOST_EXTRA_BYTES
    starts = [0, *(np.flatnonzero(np.diff(pages)) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield rows[start:end], _parameters(columns, machine_ids, rows[start:end], b",".join(extra[start:end]))


def _parameters(columns: Columns, machine_ids: Ints, rows: Ints, extra: bytes) -> dict[str, object]:
    values = columns.values[rows]
    parameters: dict[str, object] = {
        "machine_id": int4s(machine_ids[rows]),
        "measured_at": timestamps(columns.measured_us[rows]),
        "extra": f"[{extra.decode()}]",
    }
    return parameters | {channel: float8s(values[:, number]) for number, channel in enumerate(CORE_CHANNELS)}
