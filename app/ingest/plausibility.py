"""What a reading may say: one rule for requests and files. Pure; a refused row gets a field and a plain reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from app.ingest.columns import EPOCH, MICROSECONDS, Columns, Extra
from app.ingest.tables import CORE_CHANNELS

# Bounds of what a sensor in these units can mean at all, not of what is healthy: beyond them the unit is wrong.
# Current may be negative (drives that feed back, offsets of Hall sensors); r.m.s. vibration may not.
LIMITS: Mapping[str, tuple[float, float, str]] = {
    "temperature_c": (-273.15, 2_000, "degrees Celsius"),
    "vibration_mm_s": (0, 1_000, "mm/s r.m.s."),
    "current_a": (-100_000, 100_000, "amperes"),
    "runtime_hours": (0, 1_000_000, "hours"),
}
LOWEST = np.array([LIMITS[channel][0] for channel in CORE_CHANNELS])
HIGHEST = np.array([LIMITS[channel][1] for channel in CORE_CHANNELS])
# Squares of larger numbers overflow in a roll-up.
LARGEST_EXTRA = 1e100
MOST_EXTRA_CHANNELS = 256
LONGEST_NAME = 100
# Characters that are kept of a row that is refused.
LONGEST_PAYLOAD = 2_000
# A sensor that lost its clock says 1970; nothing we learn from is older than this.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
EARLIEST_US = int(EARLIEST.timestamp() * MICROSECONDS)
# A motor without load draws a quarter of its rated current or more; below this it stands, even if a sensor drifts.
IDLE_SHARE_OF_RATED, IDLE_A = 0.15, 0.2
# Sensors that round or count twice fall by less.
COUNTER_JITTER_HOURS = 0.1
# A fall of the running hours below this share of themselves is a new counter, here and in the learner's features; a
# smaller one is a sensor's jitter and must not add a machine's whole life.
RESET_BELOW = 0.5
FIELDS = ("machine", "measured_at", *CORE_CHANNELS, "extra")


@dataclass(frozen=True)
class Rejection:
    """Why one row of a batch is not stored. `index` counts the rows as sent, from 0."""

    index: int
    field: str | None
    reason: str
    machine: str | None = None
    payload: str = ""


Fault = tuple[str | None, str]


def sentence(field: str | None, reason: str) -> str:
    """A fault as a person reads it."""
    told = f"{field}: {reason}" if field else reason
    return told if told.endswith("?") else f"{told}."


def implausible(columns: Columns, now: datetime, max_future: timedelta) -> dict[int, Fault]:
    """The first fault of each row that has one, over all rows at once."""
    faults: dict[int, Fault] = {}
    for row, fault in _faults(columns, now, max_future):
        faults.setdefault(row, fault)
    return faults


def _faults(columns: Columns, now: datetime, max_future: timedelta) -> Iterator[tuple[int, Fault]]:
    yield from _machine_faults(columns.machine)
    yield from _time_faults(columns, now, max_future)
    outside = (columns.values < LOWEST) | (columns.values > HIGHEST)
    if outside.any():
        for row, number in np.argwhere(outside).tolist():
            channel = CORE_CHANNELS[number]
            yield row, (channel, out_of_range(channel, columns.values[row, number]))
    if any(columns.extra):
        for row, extra in enumerate(columns.extra):
            if extra and (fault := extra_fault(extra)):
                yield row, fault
    missing = np.isnan(columns.values)
    if missing.any():
        for row in np.flatnonzero(missing.all(axis=1)).tolist():
            if not columns.extra[row]:
                yield row, (None, "the reading holds no value for any channel")


def _machine_faults(keys: list[str]) -> Iterator[tuple[int, Fault]]:
    bad = {key: fault for key in set(keys) if (fault := machine_fault(key))}
    if bad:
        for row, key in enumerate(keys):
            if key in bad:
                yield row, ("machine", bad[key])


def _time_faults(columns: Columns, now: datetime, max_future: timedelta) -> Iterator[tuple[int, Fault]]:
    latest = int((now + max_future).timestamp() * MICROSECONDS)
    if not len(columns) or (columns.measured_us.max() <= latest and columns.measured_us.min() >= EARLIEST_US):
        return
    for row in np.flatnonzero(columns.measured_us > latest).tolist():
        ahead = timedelta(microseconds=int(columns.measured_us[row])) - (now - EPOCH)
        yield row, ("measured_at", f"the time lies {_ahead(ahead)} in the future; is the clock right?")
    for row in np.flatnonzero(columns.measured_us < EARLIEST_US).tolist():
        year = (EPOCH + timedelta(microseconds=int(columns.measured_us[row]))).year
        yield row, ("measured_at", f"the time lies in the year {year}; is the clock set?")


def _ahead(ahead: timedelta) -> str:
    return f"{ahead.days} days" if ahead.days > 1 else f"{ahead.total_seconds() / 60:.0f} minutes"


def machine_fault(key: str) -> str | None:
    if not key:
        return "the machine's key is empty"
    if len(key) > LONGEST_NAME:
        return f"the machine's key has {len(key)} characters; at most {LONGEST_NAME}"
    if not key.isprintable() or key != key.strip():
        return "the machine's key has control characters or spaces around it"
    if "/" in key or key in (".", ".."):
        return "the machine's key holds a slash or only dots; it is part of addresses"
    return None


def extra_fault(extra: Extra) -> Fault | None:
    if len(extra) > MOST_EXTRA_CHANNELS:
        return "extra", f"{len(extra)} extra channels; at most {MOST_EXTRA_CHANNELS} in a reading"
    for name, value in extra.items():
        if not -LARGEST_EXTRA <= value <= LARGEST_EXTRA:
            return f"extra.{name[:LONGEST_NAME]}", f"{value:g} is not a number that can be measured"
        if fault := channel_fault(name):
            return "extra", fault
    return None


def channel_fault(name: str) -> str | None:
    """Why `name` cannot be an extra channel."""
    if name in FIELDS:
        return f"{name} is a field of its own, not an extra channel"
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        return f"a channel's name has 1 to {LONGEST_NAME} printable characters and no spaces around it"
    return None


def out_of_range(channel: str, value: float) -> str:
    low, high, unit = LIMITS[channel]
    bound = f"below {low:g}" if value < low else f"above {high:g}"
    return f"{value:g} is {bound} {unit}; is the unit right?"
