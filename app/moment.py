"""A time from outside: with a zone, within a range that every later step can compute with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

# Older than any motor still turning, and far from the years where UTC offsets overflow.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _written(value: object) -> object:
    """A bare number could be seconds or milliseconds, so it is refused instead of guessed."""
    if not isinstance(value, str | datetime):
        raise ValueError("must be a time like 2026-11-20T08:00:00Z")  # noqa: TRY004  (pydantic refuses input on ValueError only)
    return value


def in_utc(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"must lie between the years {EARLIEST.year} and {LATEST.year}")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(in_utc)]
