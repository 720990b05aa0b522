"""Durations as people write them: `30m`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

from app.errors import BadInput

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", re.IGNORECASE)
LONGEST = timedelta(days=36500)


def parse_duration(text: str) -> timedelta:
    """`7d` -> timedelta(days=7). Raises BadInput on anything else, zero included."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise BadInput(f"{text!r} is not a duration: write a number and one of s, m, h, d, w, like 24h or 7d.")
    seconds = float(match[1]) * UNITS[match[2].lower()]
    if not 0 < seconds <= LONGEST.total_seconds():
        raise BadInput(
            f"{text!r} is too short or too long a duration: more than 0 and at most {LONGEST.days} days."
        )
    return timedelta(seconds=seconds)


def parse_durations(text: str) -> list[timedelta]:
    """`24h,3d,7d` -> a rising list without repeats. Raises BadInput where there is none."""
    durations = sorted({parse_duration(part) for part in text.split(",") if part.strip()})
    if not durations:
        raise BadInput("Name at least one duration, like 24h,3d,7d.")
    return durations


def duration_text(duration: timedelta) -> str:
    """The shortest exact writing: 86400 s -> `1d`, 5400 s -> `90m`."""
    seconds = duration.total_seconds()
    for unit in ("d", "h", "m"):
        if seconds >= UNITS[unit] and seconds % UNITS[unit] == 0:
            return f"{int(seconds // UNITS[unit])}{unit}"
    return f"{seconds:g}s"
