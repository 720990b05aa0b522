"""What the finding of a work order means for learning: docs/decisions/work-orders.md says why.

A fault found in time censors, as a preventive service of the whole machine does: it did not fail, and nobody knows
when it would have. Looking alone changes nothing: the machine went on, and what was said before it stays judged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.fleet.event_rule import CORRECTIVE, INSPECTION, PREVENTIVE, fault_of_mode
from app.fleet.schemas import EventIn
from app.fleet.tables import EventKind


class Outcome(StrEnum):
    FAULT_FOUND = "fault_found"
    FAILED = "failed"
    NOTHING_WRONG = "nothing_wrong"
    SENSOR_FAULT = "sensor_fault"
    ROUTINE = "routine"


OUTCOME_WORDS = {
    Outcome.FAULT_FOUND: "a fault, found in time",
    Outcome.FAILED: "it had failed",
    Outcome.NOTHING_WRONG: "nothing wrong (false alarm)",
    Outcome.SENSOR_FAULT: "a sensor fault",
    Outcome.ROUTINE: "routine service only",
}
FAULTS = frozenset({Outcome.FAULT_FOUND, Outcome.FAILED})


@dataclass(frozen=True)
class Finding:
    """`started_at` and `ended_at` are of the work; `failed_at` is when the machine had failed."""

    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    mode: str | None = None
    component: str | None = None
    failed_at: datetime | None = None


def fault_of_finding(
    found: Finding, modes: Collection[str], components: Collection[str], latest: datetime
) -> str | None:
    """One sentence, or None. `latest` is now, plus what a clock may run ahead."""
    if found.ended_at < found.started_at:
        return "The work ended before it began."
    if found.ended_at > latest:
        return "The end of the work lies in the future."
    return _fault_of_what(found, modes, components) or _fault_of_failure(found)


def _fault_of_what(found: Finding, modes: Collection[str], components: Collection[str]) -> str | None:
    if found.outcome in FAULTS and (found.mode is None or found.component is None):
        return "Say what was wrong: the failure mode and the component."
    if found.outcome not in FAULTS and found.mode is not None:
        return "A failure mode goes with a fault or a failure only."
    if found.outcome is Outcome.NOTHING_WRONG and found.component is not None:
        return "Where nothing was wrong there is no component to name."
    if fault := fault_of_mode(EventKind.FAILURE, found.mode, modes):
        return fault
    if found.component is not None and found.component not in components:
        return "This component is not among those /api/v1/components lists for the machine's asset class."
    return None


def _fault_of_failure(found: Finding) -> str | None:
    if found.outcome is not Outcome.FAILED:
        return "Only a machine that had failed has a time of failure." if found.failed_at else None
    if found.failed_at is None:
        return "Say when the machine failed: no failure is recorded since its last service."
    if found.failed_at > found.ended_at:
        return "The machine failed after the work had ended."
    return None


def events_of(found: Finding, note: str) -> tuple[EventIn, ...]:
    """The events that training learns from; all of a visit at its beginning, a repair at its failure."""

    def service(code: str, component: str | None = None, at: datetime = found.started_at) -> EventIn:
        times = {"started_at": at, "ended_at": found.ended_at}
        return EventIn(kind=EventKind.SERVICE, code=code, component=component, note=note, **times)

    if found.outcome is Outcome.FAULT_FOUND:
        return service(PREVENTIVE), service(CORRECTIVE, found.component)
    if found.outcome is Outcome.ROUTINE:
        return (service(PREVENTIVE, found.component),)
    if found.outcome is Outcome.FAILED and found.failed_at is not None:
        repair = service(CORRECTIVE, found.component, found.failed_at)
        told = repair.model_dump() | {"kind": EventKind.FAILURE, "code": found.mode}
        return EventIn(**told), repair
    return (service(INSPECTION),)
