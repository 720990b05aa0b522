"""A reading as a caller gives it -> the JSON that is queued and sent. Pure.

Only what no service could read is refused here; what a reading may mean is the service's to judge, and it says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import SupportsFloat

from wearwatch_client.errors import NotAReading

Number = SupportsFloat
# A reading with 256 extra channels has about 30 kB.
MOST_BYTES = 64 << 10


def reading(
    machine: str,
    measured_at: datetime | str,
    channels: Mapping[str, Number | None],
    extra: Mapping[str, Number | None] | None,
) -> dict[str, object]:
    """A channel that is None was not measured and is left out. Raises NotAReading."""
    row: dict[str, object] = {"machine": machine, "measured_at": _time(measured_at), **_numbers(channels)}
    if extra:
        row["extra"] = _numbers(extra)
    return row


def as_json(row: Mapping[str, object]) -> bytes:
    """One line. Raises NotAReading for what JSON cannot say, or what names no machine or time."""
    for name in ("machine", "measured_at"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise NotAReading(f"A reading needs {name!r} as text.")
    try:
        body = json.dumps(row, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotAReading(f"The reading cannot be written as JSON: {error}.") from error
    if len(body) > MOST_BYTES:
        raise NotAReading(f"The reading has {len(body):,} bytes; at most {MOST_BYTES:,}.")
    return body


def _time(at: datetime | str) -> str:
    if isinstance(at, str):
        return at
    if at.utcoffset() is None:
        raise NotAReading("measured_at has no time zone; use datetime.now(timezone.utc).")
    return at.isoformat()


def _numbers(values: Mapping[str, Number | None]) -> dict[str, float]:
    return {name: _number(name, value) for name, value in values.items() if value is not None}


def _number(name: str, value: Number) -> float:
    if isinstance(value, bool | str | bytes):
        raise NotAReading(f"{name} is {value!r:.40}, not a number.")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotAReading(f"{name} is not a number: {error}.") from error
    if not math.isfinite(number):
        raise NotAReading(f"{name} is {number}; leave out what was not measured.")
    return number
