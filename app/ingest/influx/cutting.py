"""Lines of line protocol -> their pieces, lines with the same fields together. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.ingest.influx.converting import Alike
from app.ingest.influx.line_protocol import TEXT_TAKEN_OUT, TEXT_VALUE, LineFault, split_line
from app.ingest.influx.series import Kind, KnownSeries

# InfluxDB's own bound on a series key, and more than any line of measurements needs.
LONGEST_LINE = 65_535
Groups = dict[tuple[Kind, tuple[str, ...]], Alike]


def cut(lines: Sequence[str], known: KnownSeries, faults: dict[int, LineFault]) -> Collection[Alike]:
    """Adds what is no line to `faults`, by its place. Blank lines and comments are nothing.

    Most lines are of a series and shape seen before and hold no escapes; their pieces are those between the
    separators. Whether the separators came in the right order is asked of all such lines at once.
    """
    groups: Groups = {}
    series = known.known
    for row, line in enumerate(lines):
        parts = line.split(" ") if '"' not in line and len(line) <= LONGEST_LINE else _cut_without_texts(line)
        if len(parts) == 3:
            key, fields, time = parts
            found = series.get(key)
            if found is not None and "\\" not in fields:
                pieces = fields.replace("=", ",").split(",")
                alike = groups.get((found[1], tuple(pieces[::2])))
                if alike is not None:
                    alike.rows.append(row)
                    alike.machines.append(found[0])
                    alike.fields.append(fields)
                    alike.written += pieces[1::2]
                    alike.times.append(time)
                    continue
        _cut_with_care(row, line, known, groups, faults)
    for group, alike in list(groups.items()):
        if not alike.is_regular():
            del groups[group]
            for row in alike.rows:
                _cut_with_care(row, lines[row], known, groups, faults)
    return groups.values()


def _cut_without_texts(line: str) -> list[str]:
    """Nothing where a quote remains or an escape may be inside a text, or where the line is too long to be one."""
    if len(line) > LONGEST_LINE or "\\" in line:
        return []
    key, _, rest = line.partition(" ")
    rest = TEXT_VALUE.sub(f"={TEXT_TAKEN_OUT}", rest)
    return [] if '"' in rest else [key, *rest.split(" ")]


def _cut_with_care(row: int, line: str, known: KnownSeries, groups: Groups, faults: dict[int, LineFault]) -> None:
    """By the whole grammar."""
    line = line.strip(" \t\r")
    if not line or line.startswith("#"):
        return
    try:
        if len(line) > LONGEST_LINE:
            raise LineFault(f"the line has more than {LONGEST_LINE:,} characters")
        key, names, values, time = split_line(line)
        machine, kind = known.series(key)
    except LineFault as fault:
        faults[row] = fault
        return
    alike = groups.get((kind, names))
    if alike is None:
        alike = groups[kind, names] = Alike(known.shape(kind, names))
    alike.rows.append(row)
    alike.machines.append(machine)
    alike.fields.append(alike.shape.separators)
    alike.written += values
    alike.times.append(time)
