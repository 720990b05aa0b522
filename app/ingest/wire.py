"""One reading on the wire, in the channels' own units or in others that a field's name declares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import numpy as np

from app.ingest.columns import Columns, to_microseconds
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import CONVERTED


class ReadingIn(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One reading on the wire. Where a name comes twice in it the last counts, here and row by row."""

    machine: str
    measured_at: Annotated[datetime, msgspec.Meta(tz=True)]
    temperature_c: float | None = None
    vibration_mm_s: float | None = None
    current_a: float | None = None
    runtime_hours: float | None = None
    extra: dict[str, float | None] | None = None


def columns_of(readings: Sequence[ReadingIn]) -> Columns:
    """The form in which readings are checked and stored; cheaper for many at once."""
    values = [(each.temperature_c, each.vibration_mm_s, each.current_a, each.runtime_hours) for each in readings]
    return Columns(
        [each.machine for each in readings],
        to_microseconds([each.measured_at for each in readings]),
        np.array(values, dtype=np.float64).reshape(len(readings), len(CORE_CHANNELS)),
        [_measured(each.extra) if each.extra else None for each in readings],
    )


def as_columns(rows: Columns | Sequence[ReadingIn]) -> Columns:
    return rows if isinstance(rows, Columns) else columns_of(rows)


def _measured(extra: dict[str, float | None]) -> dict[str, float] | None:
    return {name: value for name, value in extra.items() if value is not None} or None


# A type of its own, tried where a reading is no ReadingIn: looking for twelve more fields would slow every reading.
ReadingInOtherUnits: Any = msgspec.defstruct(
    "ReadingInOtherUnits",
    [(name, float | None, None) for name in CONVERTED],
    bases=(ReadingIn,),
    forbid_unknown_fields=True,
    gc=False,
)


def in_own_units(reading: Any) -> ReadingIn:
    """A ReadingInOtherUnits with its values converted. Raises ValidationError where a channel comes twice."""
    for name, (channel, into) in CONVERTED.items():
        value = getattr(reading, name)
        if value is not None:
            if getattr(reading, channel) is not None:
                raise msgspec.ValidationError(f"{channel} comes twice")
            setattr(reading, channel, into(value))
    given: ReadingIn = reading
    return given
