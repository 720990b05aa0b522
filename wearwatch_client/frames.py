"""A queued reading as one line of a file: its number, a checksum over number and reading, the reading. Pure.

JSON written by us has no line break inside, so after damage the next line is whole again.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple


class Queued(NamedTuple):
    """Readings are numbered from 1 in the order they came, over restarts; that is their order, no clock is."""

    number: int
    body: bytes


def frame(number: int, body: bytes) -> bytes:
    head = b"%d " % number
    return b"%b%08x %b\n" % (head, zlib.crc32(body, zlib.crc32(head)), body)


def parse(line: bytes) -> Queued | None:
    """The reading on a line without its line break; None where the line is damaged."""
    space = line.find(b" ")
    head, checksum, body = line[: space + 1], line[space + 1 : space + 9], line[space + 10 :]
    try:
        whole = int(checksum, 16) == zlib.crc32(body, zlib.crc32(head)) and line[space + 9 : space + 10] == b" "
        return Queued(int(head), body) if whole else None
    except ValueError:
        return None
