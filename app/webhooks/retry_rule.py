"""What an answer means for a message, and when one that was not taken is sent again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

# The schedule that Standard Webhooks 1.0.0 recommends: ten attempts over three days.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# Messages that failed together do not come back together.
MOST_SPREAD = 0.2
LONGEST_ASKED = timedelta(days=1)
# Python reads no number of thousands of digits, and nobody waits for so long anyway.
ASKED_SECONDS = re.compile(r"[0-9]{1,9}")
GONE = 410
# What these say is said of the receiver, not of the message: too many requests, and not available.
ASKS_FOR_TIME = (429, 503)


@dataclass(frozen=True)
class Answer:
    """`fault` is one sentence; None where the message was taken. Without a status nobody answered."""

    status: int | None = None
    fault: str | None = None
    retry_after_seconds: int | None = None


def answer_of(status: int, retry_after: str | None) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    asked = int(retry_after) if retry_after and ASKED_SECONDS.fullmatch(retry_after) else None
    if 300 <= status < 400:
        return Answer(status, f"It answered {status}; redirects are not followed, so correct the address.")
    return Answer(status, f"It answered {status}.", asked)


def wait_after(attempts: int, answer: Answer, spread: float) -> timedelta | None:
    """Until the next attempt, where `attempts` failed; None where no more is made. `spread` lies in 0 to 1."""
    if attempts > len(WAITS):
        return None
    wait = WAITS[attempts - 1] * (1 + MOST_SPREAD * spread)
    return max(wait, time_asked(answer))


def time_asked(answer: Answer) -> timedelta:
    return min(timedelta(seconds=answer.retry_after_seconds or 0), LONGEST_ASKED)
