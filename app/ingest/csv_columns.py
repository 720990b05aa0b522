"""Lines of a readings CSV -> columns, and what is wrong with the lines that are none. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan

import numpy as np

from app.csv_file import Row
from app.ingest.columns import Columns, Extra, Floats, to_microseconds
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import CONVERTED

KEYS = ("machine", "measured_at")
# float() also reads nan, inf and 1_000, which no file means as a measurement; all of them hold one of these.
NOT_A_MEASUREMENT = re.compile("[nN_]")
# Times repeat (every machine at every hour), so most are read from memory.
MOST_TIMES_REMEMBERED = 200_000


@dataclass
class Times:
    """Cells -> aware times, each text parsed once. A time without a zone is taken as UTC and remembered as such."""

    without_zone: bool = False
    _known: dict[str, datetime | None] = field(default_factory=dict)

    def read(self, cell: str) -> datetime | None:
        """None where the cell is no time."""
        if cell not in self._known:
            if len(self._known) >= MOST_TIMES_REMEMBERED:
                self._known.clear()
            self._known[cell] = self._parse(cell)
        return self._known[cell]

    def _parse(self, cell: str) -> datetime | None:
        try:
            time = datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
        self.without_zone |= time.tzinfo is None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Parsed:
    """The rows that can be read, their line numbers, and line -> reason for the others."""

    columns: Columns
    lines: list[int]
    faults: dict[int, str]


def parse_rows(rows: Sequence[Row], header: Sequence[str], times: Times) -> Parsed:
    cells = dict(zip(header, zip(*(cells for _, cells in rows), strict=True), strict=True))
    measured_at = [times.read(cell) for cell in cells["measured_at"]]
    faults = {
        row: f"measured_at: {cells['measured_at'][row][:40]!r} is not a time like 2026-11-20T08:00:00Z."
        for row, time in enumerate(measured_at)
        if time is None
    }
    read = {name: _numbers(name, column, faults) for name, column in cells.items() if name not in KEYS}
    channels = _in_own_units(read, faults)
    good = [row for row in range(len(rows)) if row not in faults]
    columns = Columns(
        [cells["machine"][row].strip() for row in good],
        to_microseconds([time for row in good if (time := measured_at[row])]),
        _named(channels, good),
        _extra({name: values for name, values in channels.items() if name not in CORE_CHANNELS}, good),
    )
    return Parsed(columns, [rows[row][0] for row in good], {rows[row][0]: why for row, why in faults.items()})


def _numbers(name: str, cells: Sequence[str], faults: dict[int, str]) -> list[float]:
    """NaN where a cell is blank; a cell that is no number is a fault of its row."""
    if not NOT_A_MEASUREMENT.search("".join(cells)):
        try:
            return [float(cell) if cell else nan for cell in cells]
        except ValueError:
            pass
    values = [_number(cell) for cell in cells]
    for row, value in enumerate(values):
        if value is None:
            faults.setdefault(
                row, f"{name}: {cells[row][:40]!r} is not a number; leave blank what was not measured."
            )
    return [nan if value is None else value for value in values]


def _in_own_units(read: dict[str, list[float]], faults: dict[int, str]) -> dict[str, list[float]]:
    """Columns whose name declares another unit become the channel's own."""
    channels = {name: values for name, values in read.items() if name not in CONVERTED}
    for name in sorted(read.keys() - channels.keys()):
        channel, into = CONVERTED[name]
        beside = channels.get(channel) or [nan] * len(read[name])
        for row, value in enumerate(read[name]):
            if value == value and beside[row] == beside[row]:
                faults.setdefault(row, f"{name}: {channel} is given in another unit too; fill in one of them.")
        channels[channel] = [
            into(value) if value == value else own for value, own in zip(read[name], beside, strict=True)
        ]
    return channels


def _number(cell: str) -> float | None:
    if not cell.strip():
        return nan
    if NOT_A_MEASUREMENT.search(cell):
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _named(channels: dict[str, list[float]], rows: list[int]) -> Floats:
    values = np.full((len(rows), len(CORE_CHANNELS)), nan)
    for number, channel in enumerate(CORE_CHANNELS):
        if channel in channels:
            values[:, number] = np.array(channels[channel])[rows]
    return values


def _extra(channels: dict[str, list[float]], rows: list[int]) -> list[Extra | None]:
    if not channels:
        return [None] * len(rows)
    names = list(channels)
    table = zip(*(np.array(values)[rows].tolist() for values in channels.values()), strict=True)
    return [_measured(names, values) for values in table]


def _measured(names: list[str], values: tuple[float, ...]) -> Extra | None:
    return {name: value for name, value in zip(names, values, strict=True) if value == value} or None
