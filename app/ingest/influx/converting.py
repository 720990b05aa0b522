"""Lines with the same fields -> columns, each field converted for all of them at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np

from app.ingest.columns import Columns, Extra, Floats, Ints, Mask
from app.ingest.influx.line_protocol import TEXT_TAKEN_OUT, TRUTH, LineFault, parse_value, whole_numbers
from app.ingest.influx.series import Shape
from app.ingest.mapping import Target, number, twice
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import SAME

IN_FLOATS = b"0123456789+-.eE"
BUT_SEPARATORS = bytes(set(range(256)) - set(b"=,\n"))


@dataclass(slots=True)
class Alike:
    """Lines of one shape, cut but not yet converted. `written` holds their values one line after the other."""

    shape: Shape
    rows: list[int] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def is_regular(self) -> bool:
        """Whether each name was followed by its value; `a=1=b,2` is cut into the same pieces as `a=1,b=2`."""
        separators = "\n".join(self.fields).encode().translate(None, BUT_SEPARATORS)
        return separators == b"\n".join([self.shape.separators.encode()] * len(self.fields))


@dataclass(frozen=True)
class Converted:
    """The lines that hold a number and are without fault; `rows` has the place of each in the body's lines."""

    columns: Columns
    rows: Ints
    ignored_fields: int


def convert(alike: Alike, measured_us: Ints, booleans_are_numbers: bool, faults: dict[int, LineFault]) -> Converted:
    """Adds what is at fault to `faults`, by the line's place."""
    given = _columns(alike, booleans_are_numbers, faults)
    channels: dict[str, Floats] = {}
    for goes_to, values in zip(alike.shape.targets, given, strict=True):
        if goes_to is not None:
            channel = goes_to.channel
            channels[channel] = (
                _with(channels[channel], values, goes_to, alike.rows, faults) if channel in channels else values
            )
    good = np.array([row not in faults for row in alike.rows], np.bool_)
    ignored = np.isnan(given).sum(axis=0)
    return _assemble(alike, measured_us, channels, good, int(ignored[good].sum()))


def _columns(alike: Alike, booleans_are_numbers: bool, faults: dict[int, LineFault]) -> list[Floats]:
    """A column for each field; NaN where its value is left out or at fault."""
    targets = alike.shape.targets
    # Most lines of sensors hold plain numbers only.
    table = _plain_numbers(alike.written)
    columns = []
    for place, goes_to in enumerate(targets):
        written = alike.written[place :: len(targets)]
        given = _read_together(written) if table is None else table[place :: len(targets)]
        values = None if given is None else _converted(given, goes_to)
        if values is None and _is_left_out(written, goes_to, booleans_are_numbers):
            values = np.full(len(written), nan)
        if values is None:
            name = alike.shape.names[place]
            values = _one_by_one(written, name, goes_to, booleans_are_numbers, alike.rows, faults)
        columns.append(values)
    return columns


def _plain_numbers(written: Sequence[str]) -> Floats | None:
    """All at once, where all are numbers without a suffix and of a size that can be held."""
    if "".join(written).encode().translate(None, IN_FLOATS):
        return None
    try:
        values = np.fromiter(map(float, written), np.float64, len(written))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _read_together(column: Sequence[str]) -> Floats | None:
    """Plain or whole numbers; None where the values have to be looked at one by one."""
    whole = whole_numbers(column)
    if whole is not None:
        return np.array(whole, np.float64)
    return _plain_numbers(column)


def _is_left_out(column: Sequence[str], goes_to: Target | None, booleans_are_numbers: bool) -> bool:
    """A whole column of texts or truth values that no named channel waits for."""
    if goes_to is not None and goes_to.place is not None:
        return False
    texts = column.count(TEXT_TAKEN_OUT) == len(column)
    return texts or (set(column) <= TRUTH.keys() and (goes_to is None or not booleans_are_numbers))


def _converted(values: Floats, goes_to: Target | None) -> Floats | None:
    """In the channel's unit; None where one becomes too large by it."""
    if goes_to is None:
        return np.full(len(values), nan)
    if goes_to.convert == SAME:
        return values
    values = np.array([goes_to.convert(value) for value in values.tolist()])
    return values if np.isfinite(values).all() else None


def _one_by_one(
    written: Sequence[str],
    name: str,
    goes_to: Target | None,
    booleans_are_numbers: bool,
    rows: Sequence[int],
    faults: dict[int, LineFault],
) -> Floats:
    column = np.full(len(written), nan)
    for place, given in enumerate(written):
        try:
            read = parse_value(given)
            value = None if goes_to is None else _number(read, goes_to, booleans_are_numbers)
        except LineFault as fault:
            value = fault.reason
        if isinstance(value, str):
            faults.setdefault(rows[place], LineFault(value, name))
        elif value is not None:
            column[place] = value
    return column


def _number(read: float | bool | str, goes_to: Target, booleans_are_numbers: bool) -> float | str | None:
    """As `number`, but for a text, which may have been taken out and cannot be shown."""
    if isinstance(read, str):
        return None if goes_to.place is None else "a text is not a number; send it without quotes"
    return number(read, goes_to, booleans_are_numbers)


def _with(
    first: Floats, second: Floats, goes_to: Target, rows: Sequence[int], faults: dict[int, LineFault]
) -> Floats:
    """Two fields that mean the same channel: the one that is there, or the same in both."""
    for place in np.flatnonzero((first != second) & ~np.isnan(first) & ~np.isnan(second)).tolist():
        faults.setdefault(rows[place], LineFault(twice(goes_to.channel), goes_to.channel))
    return np.where(np.isnan(first), second, first)


def _assemble(alike: Alike, measured_us: Ints, channels: dict[str, Floats], good: Mask, ignored: int) -> Converted:
    """The lines that are good and hold anything."""
    values = np.full((len(alike.rows), len(CORE_CHANNELS)), nan)
    for place, channel in enumerate(CORE_CHANNELS):
        if channel in channels:
            values[:, place] = channels.pop(channel)
    extra = _extra(channels, len(alike.rows))
    good &= ~np.isnan(values).all(axis=1) | np.array([each is not None for each in extra], np.bool_)
    columns = Columns(alike.machines, measured_us, values, extra)
    rows = np.array(alike.rows, np.int64)
    if not good.all():
        kept = np.flatnonzero(good)
        columns, rows = columns.take(kept), rows[kept]
    return Converted(columns, rows, ignored)


def _extra(channels: dict[str, Floats], count: int) -> list[Extra | None]:
    if not channels:
        return [None] * count
    table = zip(*(values.tolist() for values in channels.values()), strict=True)
    if not any(np.isnan(values).any() for values in channels.values()):
        return [dict(zip(channels, row, strict=True)) for row in table]
    return [
        {name: value for name, value in zip(channels, row, strict=True) if value == value} or None for row in table
    ]
