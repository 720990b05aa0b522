"""Whether an event can be so: its times in order and not in the future, its code one that means something."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from app.fleet.tables import EventKind

PREVENTIVE, CORRECTIVE = "preventive", "corrective"
# Without a component the machine is another one from then on.
REPLACEMENT = "replacement"
# Looking is no service: nothing counts anew.
INSPECTION = "inspection"
SERVICE_KINDS = (PREVENTIVE, CORRECTIVE, REPLACEMENT, INSPECTION)


def fault_of_event(
    kind: EventKind, code: str | None, started_at: datetime, ended_at: datetime | None, latest: datetime
) -> str | None:
    """One sentence, or None. `latest` is now, plus what a clock may run ahead."""
    if started_at > latest or (ended_at is not None and ended_at > latest):
        return "The event lies in the future."
    if ended_at is not None and ended_at < started_at:
        return "ended_at lies before started_at."
    if kind is EventKind.SERVICE and code is not None and code not in SERVICE_KINDS:
        return f"A service's code is one of {', '.join(SERVICE_KINDS)}."
    if kind is EventKind.FAULT_CODE and code is None:
        return "A fault_code event needs its code."
    return None


def fault_of_mode(kind: EventKind, code: str | None, known: Collection[str]) -> str | None:
    """A failure named by a person must use a mode that learning can group; imported history brings its own."""
    if kind is EventKind.FAILURE and code is not None and code not in known:
        return "This failure mode is not among those /api/v1/failure-modes lists for the machine's asset class."
    return None
