"""A request's body -> readings as columns, and the rows that are none. Pure.

A whole batch is decoded and checked by type in one call. Only a batch that fails is read again row by row, so that
each bad row is named and the good ones are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import numpy as np

from app.errors import BadInput, Malformed
from app.ingest.columns import Columns, Ints, in_order
from app.ingest.form import NotANumber, row_fault
from app.ingest.plausibility import LONGEST_PAYLOAD, Rejection
from app.ingest.wire import ReadingIn, ReadingInOtherUnits, as_columns, in_own_units

# Commas and brackets of a body, which bound the memory of decoding; 100,000 rows of 24 channels have 2.7 million.
MOST_TOKENS = 4_000_000
LINES = ("ndjson", "jsonl", "jsonlines", "json-lines", "json-seq")


# Decoders of one reading and of a list.
Decoders = tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]
OWN_UNITS: Decoders = (msgspec.json.Decoder(ReadingIn), msgspec.json.Decoder(list[ReadingIn]))
OTHER_UNITS: Decoders = (
    msgspec.json.Decoder(ReadingInOtherUnits),
    msgspec.json.Decoder(list[ReadingInOtherUnits]),
)
LENIENT = json.JSONDecoder(parse_int=float, parse_constant=NotANumber)
SPACE = " \t\r\n"


@dataclass
class Decoded:
    """`index[row]` is the place of a good row among all `count` rows of the body."""

    rows: Columns | list[ReadingIn]
    index: Ints
    rejected: list[Rejection]
    count: int

    @cached_property
    def columns(self) -> Columns:
        return as_columns(self.rows)


def decode(body: bytes, content_type: str, max_rows: int) -> Decoded:
    """Raises Malformed where no rows can be told apart, BadInput where there are too many."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        raise Malformed("The body is empty; send one reading, a list of readings, or one reading a line.")
    if len(body) > MOST_TOKENS and sum(map(body.count, (b",", b"[", b"{"))) > MOST_TOKENS:
        raise BadInput(f"The body holds more than {MOST_TOKENS:,} values; send it in parts. Nothing was stored.")
    lines = _says_lines(content_type) and body[:1] != b"["
    try:
        rows = _decode_at_once(body, lines)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_one_by_one(body, lines, max_rows)
    _check_count(len(rows), max_rows)
    return Decoded(rows, in_order(len(rows)), [], len(rows))


@lru_cache(maxsize=100)
def _says_lines(content_type: str) -> bool:
    return any(name in content_type.lower() for name in LINES)


def _decode_at_once(body: bytes, lines: bool) -> list[ReadingIn]:
    try:
        return _decode_as(OWN_UNITS, body, lines)
    except msgspec.ValidationError:
        return list(map(in_own_units, _decode_as(OTHER_UNITS, body, lines)))


def _decode_as(decoders: Decoders, body: bytes, lines: bool) -> list[Any]:
    one, many = decoders
    if lines:
        return one.decode_lines(body)
    return many.decode(body) if body[:1] == b"[" else [one.decode(body)]


def _check_count(count: int, max_rows: int) -> None:
    if count > max_rows:
        raise BadInput(f"More than {max_rows:,} readings in one request; send them in parts. Nothing was stored.")


def _decode_one_by_one(body: bytes, lines: bool, max_rows: int) -> Decoded:
    good: list[ReadingIn] = []
    index: list[int] = []
    rejected: list[Rejection] = []
    count = 0
    for count, row in enumerate(_split(body, lines), start=1):
        _check_count(count, max_rows)
        try:
            good.append(in_own_units(msgspec.convert(row, ReadingInOtherUnits)))
            index.append(count - 1)
        except (msgspec.ValidationError, UnicodeEncodeError):
            rejected.append(_reject(count - 1, row))
    return Decoded(good, np.array(index, np.int64), rejected, count)


@dataclass(frozen=True)
class Unreadable:
    """A line that is no JSON."""

    text: str
    why: str


def _reject(index: int, row: object) -> Rejection:
    if isinstance(row, Unreadable):
        return Rejection(index, None, row.why, None, row.text[:LONGEST_PAYLOAD])
    field, reason = row_fault(row)
    machine = row.get("machine") if isinstance(row, dict) else None
    return Rejection(index, field, reason, machine if isinstance(machine, str) else None, _payload(row))


def _payload(row: object) -> str:
    """The row as JSON, cut; long rows are not written out whole first."""
    encoder = json.JSONEncoder(ensure_ascii=False, default=str).iterencode(row)
    parts, length = [], 0
    for part in encoder:
        parts.append(part)
        length += len(part)
        if length > LONGEST_PAYLOAD:
            break
    return "".join(parts)[:LONGEST_PAYLOAD]


def _split(body: bytes, lines: bool) -> Iterator[object]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        if not lines:
            raise Malformed("The body is not UTF-8.") from error
        text = body.decode(errors="replace")
    if lines:
        return _split_lines(text.split("\n"))
    return _split_list(text) if text[0] == "[" else _split_object(text)


def _split_object(text: str) -> Iterator[object]:
    """One object, or several on lines of their own that nobody announced."""
    try:
        row, end = LENIENT.raw_decode(text)
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error
    except ValueError as error:
        raise _not_json(error) from error
    if end < len(text):
        yield from _split_lines(text.split("\n"))
    else:
        yield row


def _split_lines(lines: Iterable[str]) -> Iterator[object]:
    for line in lines:
        if line.strip():
            try:
                yield LENIENT.decode(line)
            except (ValueError, RecursionError) as error:
                yield Unreadable(line, f"the line is not JSON: {_why(error)}")


def _split_list(text: str) -> Iterator[object]:
    """The items one at a time, so that a long list is never in memory twice."""
    at = _skip(text, 1)
    while text[at : at + 1] != "]":
        try:
            row, at = LENIENT.raw_decode(text, at)
        except RecursionError as error:
            raise Malformed("The body is nested too deeply.") from error
        except ValueError as error:
            raise _not_json(error) from error
        yield row
        at = _after_comma(text, _skip(text, at))
    if _skip(text, at + 1) < len(text):
        raise Malformed(f"The body is not JSON: something follows the list at character {at + 1}.")


def _after_comma(text: str, at: int) -> int:
    """From a comma to the next item; the end of the list stays where it is."""
    if text[at : at + 1] == "]":
        return at
    after = _skip(text, at + 1)
    if text[at : at + 1] != "," or text[after : after + 1] in ("", "]"):
        raise Malformed(f"The body is not JSON: the list breaks off at character {at}.")
    return after


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _not_json(error: ValueError) -> Malformed:
    return Malformed(f"The body is not JSON: {_why(error)}.")


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
