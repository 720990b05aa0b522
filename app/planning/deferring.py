"""Putting services off: no plan proposes one before the deferral ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.errors import BadInput, NotFound
from app.fleet.store import machine_by_key
from app.planning import store
from app.planning.problem import Deferral
from app.planning.schemas import DeferIn
from app.planning.store import Deferred
from app.planning.tables import PlanDeferral
from app.security.principal import Principal

# Longer is no deferral: the machine is to be taken out of use, or its costs are wrong.
LONGEST = timedelta(days=366)
LIFTED = "lifted"


def defer(session: Session, principal: Principal, given: DeferIn, now: datetime) -> Deferred:
    """Raises NotFound for an unknown machine and BadInput for a time that is over or too far off."""
    machine = machine_by_key(session, given.machine)
    if given.until <= now:
        raise BadInput("A service can only be deferred until a time that is ahead.")
    if given.until > now + LONGEST:
        raise BadInput(f"A service can be deferred by {LONGEST.days} days at most.")
    return Deferred(_note(session, principal, machine.id, given.until, given.why, now), machine)


def lift(session: Session, principal: Principal, key: str, now: datetime) -> None:
    """Raises NotFound where nothing is deferred."""
    machine = machine_by_key(session, key)
    if all(each.machine.id != machine.id for each in store.deferred(session, now)):
        raise NotFound(f"No service of {key} is deferred.")
    _note(session, principal, machine.id, now, LIFTED, now)


def _note(
    session: Session, principal: Principal, machine_id: int, until: datetime, why: str, now: datetime
) -> PlanDeferral:
    deferral = PlanDeferral(machine_id=machine_id, until=until, why=why, actor=principal.actor, at=now)
    session.add(deferral)
    session.flush()
    store.outdate_plan(session)
    return deferral


def in_force(deferral: PlanDeferral) -> Deferral:
    by = deferral.actor.partition(" ")[2] or deferral.actor
    return Deferral(deferral.until, by, deferral.why.rstrip("."))
