"""Making a plan: from what is served of every machine to a problem, and from its schedule to what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.announce import announce
from app.fleet.tables import Machine
from app.planning import resource_store, store
from app.planning.agreed_work import Agreed
from app.planning.assembly import Asked, Candidate, Terms, assemble
from app.planning.deferring import in_force
from app.planning.machine_costs import Given
from app.planning.problem import Deferral
from app.planning.renewed_lately import speaks_of_before
from app.planning.renewed_life import renewed_rates
from app.planning.resource_schemas import Resources
from app.planning.schedule import LeftOut, Schedule, Service
from app.risk.reading_risk import assessment_of, curve_of
from app.risk.store import Watched, watched_fleet
from app.settings import Settings

NO_NEWER = "No newer plan could be made:"


@dataclass(frozen=True)
class KeptTo:
    """What people said that a plan keeps to; orders and deferrals by the machine's id."""

    resources: Resources
    agreed: Mapping[int, Agreed]
    deferrals: Mapping[int, Deferral]


@dataclass(frozen=True)
class Fleet:
    """What a plan is made of: `ids` by machine are those of the machine and of the prediction that it rests on."""

    candidates: tuple[Candidate, ...]
    kept_to: KeptTo
    terms: Terms
    ids: dict[str, tuple[int, int | None]]

    def asked(self) -> Asked:
        return assemble(self.candidates, self.kept_to.resources, self.terms)


@dataclass(frozen=True)
class MadePlan:
    """`summary` is one sentence for logs and the command line."""

    id: int
    services: int
    left_out: int

    @property
    def summary(self) -> str:
        return f"Plan {self.id}: {self.services} services proposed, {self.left_out} machines left out."


def fleet_to_plan(session: Session, settings: Settings, now: datetime, agreed: Mapping[int, Agreed]) -> Fleet:
    """`agreed` is by the machine's id."""
    watched, proposed = watched_fleet(session), store.proposed_windows(session)
    kept_to, renewed = _kept_to(session, now, agreed), store.renewed_at(session, now)
    candidates = tuple(
        replace(
            _candidate(each, renewed.get(each.machine.id), settings, now),
            proposed_window=proposed.get(each.machine.id),
            agreed=agreed.get(each.machine.id),
            deferral=kept_to.deferrals.get(each.machine.id),
        )
        for each in watched
    )
    rates = renewed_rates(store.lived(session, now), [each.curve for each in candidates if each.curve])
    plant = costs_of_plant(settings)
    hours = store.recorded_repair_hours(session, now)
    terms = Terms(now, now + settings.plan_ahead, plant, rates, settings.moving_cost, settings.currency, hours)
    ids = {each.machine.key: (each.machine.id, each.prediction.id if each.prediction else None) for each in watched}
    return Fleet(candidates, kept_to, terms, ids)


def own_costs(machine: Machine) -> Given:
    return Given(machine.preventive_cost, machine.failure_cost, machine.downtime_cost_per_hour)


def costs_of_plant(settings: Settings) -> Given:
    return Given(settings.preventive_cost, settings.failure_cost, 0.0, 0.0)


def _kept_to(session: Session, now: datetime, agreed: Mapping[int, Agreed]) -> KeptTo:
    deferrals = {each.machine.id: in_force(each.deferral) for each in store.deferred(session, now)}
    return KeptTo(resource_store.resources(session), agreed, deferrals)


def _candidate(watched: Watched, renewed_at: datetime | None, settings: Settings, now: datetime) -> Candidate:
    machine, said = watched.machine, watched.prediction
    reason = assessment_of(watched, settings, now).reason or speaks_of_before(renewed_at, now, settings.bucket)
    usable = said is not None and reason is None
    return Candidate(
        machine=machine.key,
        site=machine.site,
        line=machine.line,
        asset_class=machine.asset_class,
        costs=own_costs(machine),
        curve=curve_of(said.horizons_hours, said.probabilities) if said and usable else None,
        curve_from=said.as_of if said else now,
        unknown=reason or "",
    )


def keep(
    session: Session, fleet: Fleet, asked: Asked, schedule: Schedule, agreed: Callable[[], Mapping[int, Agreed]]
) -> MadePlan:
    """What somebody changed while it was looked for makes it outdated at once; `agreed` tells what is by now."""
    store.lock_plan(session)
    plan = {
        "as_of": fleet.terms.now,
        "ends_at": fleet.terms.until,
        "cost": schedule.cost,
        "bound": schedule.bound,
        "objections": list(schedule.objections),
        "assumptions": list(asked.assumptions),
        "outdated": _changed(session, fleet, agreed),
    }
    plan_id = store.keep_plan(session, plan, _items(fleet, schedule))
    announce(session, "plan")
    return MadePlan(plan_id, len(schedule.services), len(schedule.left_out))


def keep_fault(session: Session, fleet: Fleet, fault: str, agreed: Callable[[], Mapping[int, Agreed]]) -> None:
    """The newest plan stays and says why there is no newer one; it is sought anew once something is changed."""
    store.lock_plan(session)
    plan, said = store.newest_plan(session), f"{NO_NEWER} {fault}"
    outdated = _changed(session, fleet, agreed)
    if plan is None:
        of = {"as_of": fleet.terms.now, "ends_at": fleet.terms.until, "objections": [said], "outdated": outdated}
        store.keep_plan(session, of, [])
    else:
        plan.objections = [said, *(each for each in plan.objections if not each.startswith(NO_NEWER))]
        plan.outdated = outdated
    announce(session, "plan")


def _changed(session: Session, fleet: Fleet, agreed: Callable[[], Mapping[int, Agreed]]) -> bool:
    return _kept_to(session, fleet.terms.now, agreed()) != fleet.kept_to


def _items(fleet: Fleet, schedule: Schedule) -> Sequence[dict[str, Any]]:
    currency = fleet.terms.currency
    every: tuple[Service | LeftOut, ...] = (*schedule.services, *schedule.left_out)
    return [
        {"machine_id": machine_id, "prediction_id": prediction_id, "currency": currency, "reason": each.reason}
        | (_service(each) if isinstance(each, Service) else _left_out(each))
        for each in every
        for machine_id, prediction_id in [fleet.ids[each.machine]]
    ]


def _service(service: Service) -> dict[str, Any]:
    return {
        "service_by": service.starts_at,
        "ends_at": service.ends_at,
        "crew": service.crew,
        "planned_window": service.window,
        "probability_by_then": service.probability_by_then,
        "cost_now": service.cost,
        "cost_if_waiting": service.cost_if_waiting,
    }


def _left_out(left: LeftOut) -> dict[str, Any]:
    nothing = dict.fromkeys(("service_by", "ends_at", "crew", "planned_window", "cost_if_waiting"))
    return {**nothing, "probability_by_then": left.probability, "cost_now": left.cost}
