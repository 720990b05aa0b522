"""Times as line protocol writes them, whole numbers since 1970 in the request's precision -> microseconds. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.ingest.columns import Ints
from app.ingest.influx.line_protocol import LineFault

# 64 bits of nanoseconds, InfluxDB's bound in every precision.
LAST_NS = 2**63 - 2
WHOLE = re.compile(r"-?[0-9]+")
DIGITS_OF_64_BITS = 20


@dataclass(frozen=True)
class Precision:
    """One step of a written time is `times / parts` microseconds; what is finer than a microsecond is cut off."""

    times: int = 1
    parts: int = 1

    @property
    def last(self) -> int:
        return LAST_NS * self.parts // (self.times * 1_000)


NANOSECONDS = Precision(parts=1_000)
PRECISIONS_V2: dict[str, Precision] = {
    "ns": NANOSECONDS,
    "us": Precision(),
    "ms": Precision(1_000),
    "s": Precision(1_000_000),
}
PRECISIONS_V1: dict[str, Precision] = PRECISIONS_V2 | {
    "n": NANOSECONDS,
    "u": Precision(),
    "µ": Precision(),
    "m": Precision(60_000_000),
    "h": Precision(3_600_000_000),
}


def microseconds(written: Sequence[str], precision: Precision, now_us: int) -> tuple[Ints, dict[int, LineFault]]:
    """A time for every place, and the places whose time is none; an empty time is now."""
    try:
        times = np.array([int(time) for time in written], np.int64)
        regular = WHOLE.fullmatch("".join(written).replace("-", "")) is not None
    except (ValueError, OverflowError):
        regular = False
    if regular and (times <= precision.last).all() and (times >= -precision.last).all():
        return times * precision.times // precision.parts, {}
    return _one_by_one(written, precision, now_us)


def _one_by_one(written: Sequence[str], precision: Precision, now_us: int) -> tuple[Ints, dict[int, LineFault]]:
    times = np.full(len(written), now_us, np.int64)
    faults: dict[int, LineFault] = {}
    for place, time in enumerate(written):
        if time and not WHOLE.fullmatch(time):
            faults[place] = LineFault("bad timestamp")
        elif time and (len(time) > DIGITS_OF_64_BITS or abs(int(time)) > precision.last):
            faults[place] = LineFault("time outside range -9223372036854775806 - 9223372036854775806")
        elif time:
            times[place] = int(time) * precision.times // precision.parts
    return times, faults
