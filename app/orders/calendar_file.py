"""A calendar as RFC 5545 writes it: CRLF, lines of at most 75 octets, texts escaped, all times in UTC."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

LONGEST_LINE_BYTES = 75
# How often a calendar should look again; clients take it as a hint, and some look once a day whatever it says.
REFRESH = "PT15M"
ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


@dataclass(frozen=True)
class Entry:
    """One piece of work. `sequence` rises with every change, `uid` never changes."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    changed_at: datetime
    summary: str
    description: str
    location: str
    status: Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]


def calendar(name: str, entries: Iterable[Entry]) -> str:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Wearwatch//Work orders//EN",
        "CALSCALE:GREGORIAN",
        f"NAME:{escaped(name)}",
        f"X-WR-CALNAME:{escaped(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
        *(line for entry in entries for line in _event(entry)),
        "END:VCALENDAR",
    ]
    return "".join(f"{folded(line)}\r\n" for line in lines)


def _event(entry: Entry) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{entry.uid}"
    yield f"SEQUENCE:{entry.sequence}"
    # Without a METHOD the stamp says when this was last revised.
    yield f"DTSTAMP:{utc(entry.changed_at)}"
    yield f"LAST-MODIFIED:{utc(entry.changed_at)}"
    yield f"CREATED:{utc(entry.created_at)}"
    yield f"DTSTART:{utc(entry.starts_at)}"
    yield f"DTEND:{utc(entry.ends_at)}"
    yield f"STATUS:{entry.status}"
    yield f"SUMMARY:{escaped(entry.summary)}"
    if entry.description:
        yield f"DESCRIPTION:{escaped(entry.description)}"
    if entry.location:
        yield f"LOCATION:{escaped(entry.location)}"
    yield "END:VEVENT"


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """Line ends of every kind become one, and what no text may hold is left out."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in plain if each in "\n\t" or unicodedata.category(each) != "Cc").translate(
        ESCAPES
    )


def folded(line: str) -> str:
    """Cut between characters; a line that goes on begins with a blank, which counts."""
    parts, length = [""], 0
    for character in line:
        size = len(character.encode())
        if length + size > LONGEST_LINE_BYTES:
            parts.append(" ")
            length = 1
        parts[-1] += character
        length += size
    return "\r\n".join(parts)
