"""How long to wait before the same is sent again."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 60.0
# A service that asks for more is asked again after this: it may have been restarted with other words.
LONGEST_ASKED_SECONDS = 3600.0
# Many gateways that lost the service at the same moment must not come back at the same moment.
JITTER = 0.25


class Backoff:
    """Doubles from failure to failure, a little at random. What the service asks for is never undercut."""

    def __init__(self, shortest: float = SHORTEST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._shortest, self._longest = shortest, longest
        self._next = shortest
        self._chance = random.Random()  # noqa: S311  spreads load, guards nothing

    def wait(self, asked: float | None, at_least: float = 0.0) -> float:
        own, self._next = self._next, min(self._next * 2, self._longest)
        seconds = max(own, at_least) if asked is None else max(asked, self._shortest)
        return seconds * (1 + JITTER * self._chance.random())

    def reset(self) -> None:
        self._next = self._shortest


def asked_seconds(retry_after: str | None, date: str | None) -> float | None:
    """What a Retry-After header asks for, as seconds or as a date.

    That date is read against the answer's own `date`, so the clock of this computer does not matter.
    """
    if not retry_after:
        return None
    value = retry_after.strip()
    seconds = float(value[:9]) if value.isascii() and value.isdigit() else _until(value, date)
    return None if seconds is None else min(max(0.0, seconds), LONGEST_ASKED_SECONDS)


def _until(retry_after: str, date: str | None) -> float | None:
    try:
        return (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
