r"""The grammar of InfluxDB's line protocol: `measurement,tag=value field=value,field=value timestamp`. Pure.

A comma, an equals sign or a space is part of a name when a backslash stands before it. A text is in double quotes,
where `\"` and `\\` are escapes and a line break is a character like any other. Numbers are floats, `5i` or `5u`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

NAME = r"(?:[^,= ]++|(?<=\\)[,= ])++"
TEXT = r'"(?:[^"\\]++|\\.)*+"'
ONE_FIELD = rf'{NAME}=(?:{TEXT}|[^, "]*+)'
KEY = r"(?:[^ ]++|(?<=\\) )++"

LINE = re.compile(rf"({KEY}) +({ONE_FIELD}(?:,{ONE_FIELD})*+)(?: +(-?[0-9]+))? *", re.DOTALL)
FIELD = re.compile(rf'({NAME})=({TEXT}|[^, "]*+)', re.DOTALL)
# A line may go on inside a text; the last alternatives take what is no line protocol, to be refused by itself.
WITH_TEXTS = re.compile(rf'(?:[^\\ \n]++|\\[^\n])*+(?:[^"\\=\n]++|={TEXT}|\\[^\n]|[="\\])*+(?:\n|\Z)', re.DOTALL)
TEXT_VALUE = re.compile(r'="[^"]*+"(?=[, ]|\Z)')
# Stands for a text that nobody needs; no line may hold the character itself.
TEXT_TAKEN_OUT = "\0"
FIELDS_BEGIN = re.compile(r"(?<!\\) +")
COMMA = re.compile(r"(?<!\\),")
EQUALS = re.compile(r"(?<!\\)=")
ESCAPED = re.compile(r"\\([,= ])")
ESCAPED_IN_MEASUREMENT = re.compile(r"\\([, ])")

FLOAT = re.compile(r"[-+]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?")
UNSIGNED_OR_MINUS = re.compile(r"[-0-9]*+")
INTEGER = re.compile(r"(?:([-+]?[0-9]{1,20})i|([0-9]{1,20})u)")
INT64, UINT64 = range(-(2**63), 2**63), range(2**64)
TRUTH = dict.fromkeys(("t", "T", "true", "True", "TRUE"), True)
TRUTH |= dict.fromkeys(("f", "F", "false", "False", "FALSE"), False)


class LineFault(ValueError):
    """Why a line is none, in InfluxDB's words where it has some, and the field at fault, where it is one."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 0; where a text holds line breaks, the next number is higher by more than 1."""
    if '"' not in text:
        yield from enumerate(text.split("\n"))
        return
    number = 0
    for match in WITH_TEXTS.finditer(text):
        line = match[0]
        yield number, line.removesuffix("\n")
        number += line.count("\n")


def split_line(line: str) -> tuple[str, tuple[str, ...], list[str], str]:
    """Series key and names as written, values as written, time (may be empty). Raises LineFault."""
    match = LINE.fullmatch(line)
    if match is None:
        raise LineFault(_why_no_line(line))
    key, fields, time = match.groups(default="")
    names, values = zip(*FIELD.findall(fields), strict=True)
    return key, names, list(values), time


def _why_no_line(line: str) -> str:
    _, *rest = FIELDS_BEGIN.split(line, maxsplit=1)
    if not rest or not rest[0]:
        return "missing fields"
    fields = rest[0]
    end = -1
    while end < len(fields) and (match := FIELD.match(fields, end + 1)):
        end = match.end()
        if fields[end : end + 1] != ",":
            return "bad timestamp" if fields[end : end + 1] == " " else _broken(fields[end:])
    return _broken(fields[end + 1 :])


def _broken(rest: str) -> str:
    return "unbalanced quotes" if rest.count('"') % 2 else "invalid field format"


def parse_key(key: str) -> tuple[str, dict[str, str]]:
    """The measurement and the tags. Raises LineFault."""
    measurement, *tags = COMMA.split(key)
    if not measurement:
        raise LineFault("missing measurement")
    named: dict[str, str] = {}
    for tag in tags:
        name, *value = EQUALS.split(tag)
        if not name:
            raise LineFault("missing tag key")
        if len(value) != 1 or not value[0]:
            raise LineFault("missing tag value" if len(value) < 2 else "invalid tag format")
        named[unescape(name)] = unescape(value[0])
    if len(named) != len(tags):
        raise LineFault("duplicate tags")
    return ESCAPED_IN_MEASUREMENT.sub(r"\1", measurement), named


def unescape(name: str) -> str:
    return ESCAPED.sub(r"\1", name) if "\\" in name else name


def parse_value(written: str) -> float | bool | str:
    """A field's value; whole numbers become floats, as everything measured is stored. Raises LineFault."""
    if written[:1] == '"' or written == TEXT_TAKEN_OUT:
        return written[1:-1]
    if FLOAT.fullmatch(written):
        return float(written)
    if match := INTEGER.fullmatch(written):
        number = int(match[1] or match[2])
        if number not in (INT64 if match[1] else UINT64):
            raise LineFault(f"unable to parse integer {written}: value out of range")
        return float(number)
    if written in TRUTH:
        return TRUTH[written]
    raise LineFault(f"invalid number {written[:40]!r}" if written else "missing field value")


def whole_numbers(column: Sequence[str]) -> list[int] | None:
    """Many values at once where all are like `5i`, as they mostly are where one is; None where one is not."""
    stripped = [written[:-1] for written in column]
    if "".join(column).count("i") != len(column) or "i" in "".join(stripped) or max(map(len, stripped)) > 18:
        return None
    try:
        return list(map(int, stripped)) if UNSIGNED_OR_MINUS.fullmatch("".join(stripped)) else None
    except ValueError:
        return None
