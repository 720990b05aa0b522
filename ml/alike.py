"""The words of a past failure: `like press-12 3 days before its bearing failure on 3 Nov 2026, down for 9 h`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ml.failures import OTHER, UNNAMED
from ml.past_failures import Alike
from ml.reason_words import span


def like_past_failure(found: Alike, machine: str, modes: Sequence[str]) -> dict[str, Any]:
    """A reason in the form of ml.reason_words, of this machine (its key), with the failure as `like`."""
    at, mode = datetime.fromtimestamp(found.failed_at, UTC), modes[found.mode]
    named = found.component or ("" if mode in (UNNAMED, OTHER) else mode)
    failure = f"{named} failure" if named else "failure"
    whose = "itself" if found.machine == machine else found.machine
    known = math.isfinite(found.down_hours)
    down = f", down for {span(found.down_hours)}" if known else ""
    return {
        "words": f"like {whose} {span(found.hours_before)} before its {failure} on {at:%-d %b %Y}{down}",
        "channel": None,
        "feature": None,
        "value": None,
        "usual": None,
        "unit": None,
        "share": None,
        "like": {
            "machine": found.machine,
            "failed_at": at.isoformat(),
            "mode": mode,
            "component": found.component or None,
            "down_hours": found.down_hours if known else None,
            "hours_before": found.hours_before,
        },
    }
