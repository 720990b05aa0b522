"""A time from outside: with a zone, within a range that every later step can compute with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

# Older than any motor still turning, and far from the years where UTC offsets overflow.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _written(value: object) -> object:
    """A bare number could be seconds or milliseconds, so it is refused instead of guessed."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and DATE.match(value)):
        raise ValueError("must be a time like 2026-11-20T08:00:00Z")
    return value


def in_utc(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"must lie between the years {EARLIEST.year} and {LATEST.year}")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(in_utc)]
