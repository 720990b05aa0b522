"""What a plan would cost if something were otherwise: the problem that a question asks for, and both in money."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.errors import BadInput
from app.planning.assembly import Asked, Candidate, Terms, assemble
from app.planning.machine_costs import Given
from app.planning.problem import Window
from app.planning.resource_schemas import Resources
from app.planning.schedule import LeftOut, Schedule, Service
from app.planning.soonest import soonest
from app.planning.what_if_schemas import WhatIfIn


@dataclass(frozen=True)
class Place:
    """Where a plan has a machine."""

    service: Service | None
    reason: str


def otherwise(candidates: Sequence[Candidate], stored: Resources, terms: Terms, question: WhatIfIn) -> Asked:
    """The problem that the question asks for. Raises BadInput where it names what is not there."""
    unknown = question.machines - {each.machine for each in candidates}
    if unknown:
        raise BadInput(f"There is no machine {min(unknown)} that is in use.")
    if both := {*question.now} & {*question.never}:
        raise BadInput(f"{min(both)} cannot be serviced both now and never.")
    asked = assemble([_changed(each, question) for each in candidates], question.with_crews(stored), terms)
    problem = replace(asked.problem, windows=_open(asked.problem.windows, question.closed_windows))
    pins = soonest(problem, dict.fromkeys(question.now))
    return replace(asked, problem=replace(problem, pins=(*problem.pins, *pins)))


def _changed(machine: Candidate, question: WhatIfIn) -> Candidate:
    given, own = question.costs.get(machine.machine), machine.costs
    if given is not None:
        figures = (given.preventive_cost, given.failure_cost, given.downtime_cost_per_hour)
        kept = (own.preventive, own.failure, own.downtime_per_hour)
        own = Given(*(old if new is None else new for new, old in zip(figures, kept, strict=True)))
    never, asked = machine.machine in question.never, machine.machine in {*question.now, *question.never}
    return replace(
        machine,
        costs=own,
        barred="left out, as it was asked for" if never else "",
        agreed=None if asked else machine.agreed,
        deferral=None if asked else machine.deferral,
    )


def _open(windows: Sequence[Window], closed: Collection[str]) -> tuple[Window, ...]:
    unknown = {*closed} - {each.key for each in windows}
    if unknown:
        raise BadInput(f"There is no window {min(unknown)} ahead.")
    return tuple(each for each in windows if each.key not in closed)


def compared(before: Schedule, after: Asked, then: Schedule) -> dict[str, object]:
    """Both plans in money, and every machine that has another slot or crew."""
    places, others = _places(before), _places(then)
    moved = [key for key, place in places.items() if _slot(place.service) != _slot(others[key].service)]
    return {
        "cost": before.cost,
        "cost_then": then.cost,
        "saving": before.cost - then.cost,
        "gap": before.gap,
        "gap_then": then.gap,
        "services": len(before.services),
        "services_then": len(then.services),
        "objections": list(then.objections),
        "assumptions": list(after.assumptions),
        "changes": [
            {
                "machine": key,
                "before": _slot(places[key].service),
                "then": _slot(others[key].service),
                "reason": others[key].reason,
            }
            for key in sorted(moved)
        ],
    }


def _places(plan: Schedule) -> dict[str, Place]:
    every: tuple[Service | LeftOut, ...] = (*plan.services, *plan.left_out)
    return {each.machine: Place(each if isinstance(each, Service) else None, each.reason) for each in every}


def _slot(service: Service | None) -> dict[str, object] | None:
    if service is None:
        return None
    start, end = service.starts_at.isoformat(), service.ends_at.isoformat()
    return {"start": start, "end": end, "crew": service.crew, "window": service.window}
