"""What an answer means for a message, and when one that was not taken is sent again."""

from __future__ import annotations

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
GONE = 410


@dataclass(frozen=True)
class Answer:
    """`fault` is one sentence; None where the message was taken. Without a status nobody answered."""

    status: int | None = None
    fault: str | None = None
    retry_after_seconds: int | None = None


def answer_of(status: int, retry_after: str | None) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    asked = int(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
    if 300 <= status < 400:
        return Answer(status, f"It answered {status}; redirects are not followed, so correct the address.")
    return Answer(status, f"It answered {status}.", asked)


def wait_after(attempts: int, answer: Answer, spread: float) -> timedelta | None:
    """Until the next attempt, where `attempts` failed; None where no more is made. `spread` lies in 0 to 1."""
    if attempts > len(WAITS):
        return None
    wait = WAITS[attempts - 1] * (1 + MOST_SPREAD * spread)
    asked = min(timedelta(seconds=min(answer.retry_after_seconds or 0, 10**6)), LONGEST_ASKED)
    return max(wait, asked)
