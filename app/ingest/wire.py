"""One reading on the wire, in the channels' own units or in others that a field's name declares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

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
