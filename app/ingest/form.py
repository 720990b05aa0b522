"""Why a decoded JSON value is not a reading by its form: names and types. Pure; asked for rows that are none."""

from __future__ import annotations

from dataclasses import dataclass

from app.csv_file import did_you_mean
from app.ingest.plausibility import FIELDS, LONGEST_NAME, Fault
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import CONVERTED, REFUSED

KNOWN = (*FIELDS, *CONVERTED)


@dataclass(frozen=True)
class NotANumber:
    """NaN or Infinity, which some programs write although JSON has neither."""

    literal: str


def row_fault(row: object) -> Fault:
    """Why a decoded JSON value is not a reading by its form: names and types. Called only for rows that are not."""
    if not isinstance(row, dict):
        return None, f"a reading is a JSON object, not {_kind(row)}"
    for name in row:
        if name in REFUSED:
            return name, REFUSED[name]
        if name not in KNOWN:
            hint = did_you_mean(name, KNOWN)
            return name[:LONGEST_NAME], f"unknown field {name[:LONGEST_NAME]}{hint}; other channels go into extra"
    for name in ("machine", "measured_at"):
        if name not in row:
            return name, f"{name} is missing"
        if not isinstance(row[name], str):
            example = '"press-07"' if name == "machine" else '"2026-11-20T08:00:00Z"'
            return name, f"{name} is text like {example}, not {_kind(row[name])}"
    for name in (*CORE_CHANNELS, *CONVERTED):
        if name in row and (fault := _number_fault(row[name])):
            return name, fault
    return _extra_form_fault(row.get("extra")) or _twice_fault(row) or _text_fault(row)


def _twice_fault(row: dict[str, object]) -> Fault | None:
    given: dict[str, str] = {}
    for name in row:
        channel = CONVERTED[name][0] if name in CONVERTED else name
        if row[name] is not None and given.setdefault(channel, name) != name:
            return name, f"{given[channel]} and {name} are the same channel in two units; send one of them"
    return None


def _extra_form_fault(extra: object) -> Fault | None:
    if extra is None:
        return None
    if not isinstance(extra, dict):
        return "extra", f"extra is an object of channels, not {_kind(extra)}"
    faults = ((name, _number_fault(value)) for name, value in extra.items())
    return next(((f"extra.{name[:LONGEST_NAME]}", fault) for name, fault in faults if fault), None)


def _text_fault(row: dict[str, object]) -> Fault:
    if not str(row["machine"]).isprintable():
        return "machine", "the machine's key has control characters or spaces around it"
    return "measured_at", (
        f"{str(row['measured_at'])[:40]!r} is not a time with a zone, like 2026-11-20T08:00:00Z "
        "or 2026-11-20T09:00:00+01:00"
    )


def _number_fault(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, NotANumber):
        return f"{value.literal} is not a measurement; leave out what was not measured"
    return None if isinstance(value, float) else f"a number is needed, not {_kind(value)}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        float: "a number",
        int: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
