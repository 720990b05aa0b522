"""Whether a machine was renewed so lately that its risk still speaks of the machine it was before.

Features look back over a window that the renewal cuts: for that long, a new machine looks as worn as the old one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# The longest window of the features (ml.features.catalogue), in buckets.
LONGEST_WINDOW = 168


def speaks_of_before(renewed_at: datetime | None, now: datetime, bucket: timedelta) -> str | None:
    """Why no service can be planned from its risk, or None."""
    if renewed_at is None or now >= renewed_at + LONGEST_WINDOW * bucket:
        return None
    return "it was renewed lately, and its risk still rests on readings from before"
