"""Values under other programs' names -> rows of readings, through the plant's mapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from app.ingest.columns import MICROSECONDS, Columns
from app.ingest.decode import Decoded
from app.ingest.mapping import NameMapping, map_reading
from app.ingest.plausibility import LONGEST_PAYLOAD, Fault, Rejection
from app.ingest.tables import CORE_CHANNELS

LATEST_US = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * MICROSECONDS
# A number that stands for a time counts seconds, milli-, micro- or nanoseconds since 1970. Between 1990 and 5138
# these do not overlap, so its size says which.
SIZES = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0))
NANOSECONDS = 0.001


@dataclass
class Rows:
    """Rows of one message as they are understood, and what of it was not."""

    topic: str
    mapping: NameMapping
    machine: list[str] = field(default_factory=list)
    measured_us: list[int] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)
    extra: list[dict[str, float] | None] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def add(
        self, names: Mapping[str, str], measured_us: int, fields: Mapping[str, object], units: Mapping[str, str]
    ) -> None:
        """One reading, or its fault. `units` has those that a sender declared, by field; a value whose unit cannot
        become the channel's is refused alone.

        A reading without any number goes on to the checks, which refuse it with their reason.
        """
        mapped = map_reading(self.mapping, names, fields, units=units)
        if isinstance(mapped, tuple):
            self.refuse(mapped, f"{dict(fields)}", names)
            return
        for name, reason in mapped.refused:
            self.refuse((name, reason), f"{dict(fields)}", names)
        if not (mapped.refused and mapped.holds_nothing):
            self.machine.append(mapped.machine)
            self.measured_us.append(measured_us)
            self.values.append(mapped.values)
            self.extra.append(mapped.extra)

    def refuse(self, fault: Fault, payload: str, names: Mapping[str, str] | None = None) -> None:
        machine = self.mapping.machine_of(names) if names else None
        known = machine if isinstance(machine, str) else None
        text = f"{self.topic} {payload[:LONGEST_PAYLOAD]}"[:LONGEST_PAYLOAD]
        self.rejected.append(Rejection(len(self.rejected) + len(self.machine), *fault, known, text))

    def decoded(self) -> Decoded:
        values = np.array(self.values, np.float64).reshape(-1, len(CORE_CHANNELS))
        columns = Columns(self.machine, np.array(self.measured_us, np.int64), values, self.extra)
        count = len(self.machine) + len(self.rejected)
        return Decoded(columns, np.arange(len(columns)), self.rejected, count)


def microseconds(time: object) -> int | str:
    """A time as programs write it -> microseconds since 1970, or why it is none. What is too far ahead is kept at
    the end of the calendar, where the clock's check refuses it."""
    if isinstance(time, str):
        return _from_text(time)
    if isinstance(time, bool) or not isinstance(time, int | float) or time != time:
        return "a time is a number since 1970 or text like 2026-11-20T08:00:00Z"
    factor = next((factor for bound, factor in SIZES if abs(time) < bound), NANOSECONDS)
    whole = time * int(factor) if isinstance(time, int) and factor >= 1 else round(min(abs(time), 1e30) * factor)
    return max(-LATEST_US, min(whole, LATEST_US)) if time >= 0 else 0


def _from_text(text: str) -> int | str:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        return f"{text[:40]!r} is not a time with a zone, like 2026-11-20T08:00:00Z or a number since 1970"
    try:
        return round(time.timestamp() * MICROSECONDS)
    except (OverflowError, ValueError):
        return f"{text[:40]!r} is not a time that can be"
