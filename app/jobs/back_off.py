"""How long to leave a job alone that failed: for want of memory or data, it would fail again at once."""

from __future__ import annotations

from datetime import timedelta

FIRST_WAIT, LONGEST_WAIT = timedelta(hours=1), timedelta(days=1)
# More of them reach the longest wait anyway, and in the end no timedelta would hold the product.
MOST_DOUBLINGS = 8


def wait_after(failures: int) -> timedelta:
    """After so many failures in a row: 0, then 1 h, 2 h, 4 h, ... and never more than a day."""
    if failures == 0:
        return timedelta(0)
    doublings = min(failures - 1, MOST_DOUBLINGS)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
