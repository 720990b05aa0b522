"""A body of line protocol -> readings as columns, and the lines that are none.

A line is cut at its spaces, commas and equals signs; lines with the same fields are then checked and converted
together, column by column. What that cannot take (texts, escapes, anything wrong) goes through the whole grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from app.errors import TooLarge
from app.ingest.columns import NO_ROWS, Columns, Ints, join
from app.ingest.decode import Decoded
from app.ingest.influx.converting import Alike, Converted, convert
from app.ingest.influx.cutting import cut
from app.ingest.influx.line_protocol import LineFault, split_lines
from app.ingest.influx.series import KnownSeries
from app.ingest.influx.times import Precision, microseconds
from app.ingest.plausibility import LONGEST_NAME, LONGEST_PAYLOAD, Rejection

# Commas of a body, which bound the memory of decoding; 100,000 lines of 17 fields and 2 tags have 1.8 million.
MOST_COMMAS = 2_000_000
# Lines converted together: enough that a column costs little, few enough that their texts do not fill the memory.
LINES_TOGETHER = 1_000
NO_TEXT = re.compile("[\0\udc80-\udcff]")
NO_TEXT_REASON = "the line holds a NUL character or is not UTF-8"


@dataclass(frozen=True)
class Lines:
    """What a body said. A row of `decoded` is a line, `index` its number from 0, blank lines and comments counted.

    ignored_fields: texts, truth values and what the mapping leaves out. They are no fault of their line.
    """

    decoded: Decoded
    ignored_fields: int


def decode(body: bytes, known: KnownSeries, precision: Precision, now_us: int, most_lines: int) -> Lines:
    """A line without a time was measured now. Raises TooLarge."""
    text = body.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape").replace("\r\n", "\n")
    text = text.rstrip("\n")
    if text.count(",") > MOST_COMMAS:
        raise TooLarge(f"More than {MOST_COMMAS:,} tags and fields in one request; send them in parts.")
    if text.count("\n") >= most_lines:
        raise TooLarge(f"More than {most_lines:,} lines in one request; send them in parts.")
    holds_no_text = NO_TEXT.search(text) is not None
    lines = split_lines(text)
    parts: list[Part] = []
    while numbered := list(islice(lines, LINES_TOGETHER)):
        faults = _no_texts(numbered) if holds_no_text else {}
        parts.append(_part(numbered, known, precision, now_us, faults))
    return _joined(parts)


@dataclass(frozen=True)
class Part:
    """Some lines of a body: columns in the order of the lines, the number of each, and the faults."""

    columns: Columns
    numbers: Ints
    rejected: list[Rejection]
    ignored_fields: int


def _no_texts(numbered: Sequence[tuple[int, str]]) -> dict[int, LineFault]:
    return {row: LineFault(NO_TEXT_REASON) for row, (_, line) in enumerate(numbered) if NO_TEXT.search(line)}


def _part(
    numbered: Sequence[tuple[int, str]],
    known: KnownSeries,
    precision: Precision,
    now_us: int,
    faults: dict[int, LineFault],
) -> Part:
    lines = ["" if row in faults else line for row, (_, line) in enumerate(numbered)]
    groups = cut(lines, known, faults)
    converted = []
    for alike in groups:
        times, time_faults = microseconds(alike.times, precision, now_us)
        faults |= {alike.rows[place]: fault for place, fault in time_faults.items()}
        converted.append(convert(alike, times, known.mapping.booleans_are_numbers, faults))
    columns, rows = _in_order(converted)
    numbers = np.array([number for number, _ in numbered])[rows]
    return Part(columns, numbers, _rejections(numbered, groups, faults), sum(c.ignored_fields for c in converted))


def _in_order(converted: Sequence[Converted]) -> tuple[Columns, Ints]:
    """As the lines came: where two contradict each other, the first counts."""
    if not converted:
        return NO_ROWS, np.empty(0, np.int64)
    columns = join([each.columns for each in converted])
    rows = np.concatenate([each.rows for each in converted])
    if len(converted) == 1 and (np.diff(rows) > 0).all():
        return columns, rows
    order = np.argsort(rows)
    return columns.take(order), rows[order]


def _rejections(
    numbered: Sequence[tuple[int, str]], groups: Iterable[Alike], faults: dict[int, LineFault]
) -> list[Rejection]:
    if not faults:
        return []
    machines = {row: key for alike in groups for row, key in zip(alike.rows, alike.machines, strict=True)}
    return [_rejection(numbered[row], faults[row], machines.get(row)) for row in sorted(faults)]


def _rejection(line: tuple[int, str], fault: LineFault, machine: str | None) -> Rejection:
    number, text = line
    name = None if fault.field is None else fault.field[:LONGEST_NAME]
    return Rejection(number, name, fault.reason, machine or None, text[:LONGEST_PAYLOAD])


def _joined(parts: Sequence[Part]) -> Lines:
    columns = join([part.columns for part in parts])
    rejected = [rejection for part in parts for rejection in part.rejected]
    numbers = np.concatenate([part.numbers for part in parts])
    decoded = Decoded(columns, numbers, rejected, len(columns) + len(rejected))
    return Lines(decoded, sum(part.ignored_fields for part in parts))
