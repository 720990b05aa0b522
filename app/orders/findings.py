"""Done asks what was found, and records its events with it; a correction takes the old ones back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.fleet.actions import components_of, failure_modes_of, record_found, withdraw
from app.fleet.failure_modes import FailureModes
from app.fleet.store import unrepaired_failure
from app.orders import actions, store
from app.orders.finding_rule import OUTCOME_WORDS, Finding, Outcome, events_of, fault_of_finding
from app.orders.schemas import CorrectIn, DoneIn
from app.orders.states import State
from app.orders.store import Ordered
from app.orders.tables import WorkFinding
from app.security.principal import Principal
from app.text import LONGEST_NOTE


@dataclass(frozen=True)
class Moments:
    """`latest` is now, plus what a clock may run ahead."""

    now: datetime
    latest: datetime


def finish(
    session: Session, principal: Principal, order_id: int, given: DoneIn, modes: FailureModes, when: Moments
) -> Ordered:
    """The work is done, and this was found. Raises BadInput where the finding cannot be so."""
    ordered = actions.as_read(session, order_id, given.version)
    actions.refuse_step(ordered.order, State.DONE)
    found = _found(session, ordered, given, None, modes, when)
    _keep(session, principal, ordered, found, given, when.now)
    return ordered


def correct(
    session: Session, principal: Principal, order_id: int, given: CorrectIn, modes: FailureModes, when: Moments
) -> Ordered:
    """Something else was found: the events of the old finding are withdrawn, and the old finding stays readable."""
    ordered = actions.as_read(session, order_id, given.version)
    before = store.newest_finding(session, ordered.order)
    if before is None:
        raise Conflict("Only what was found can be corrected, and this work order has no finding.")
    found = _found(session, ordered, given, before, modes, when)
    why = f"Work order {order_id} was corrected: {given.why}"
    withdraw(session, principal, ordered.machine, before.event_ids, why)
    _keep(session, principal, ordered, found, given, when.now, withdrawn=before.event_ids)
    return ordered


def _found(
    session: Session,
    ordered: Ordered,
    given: DoneIn,
    before: WorkFinding | None,
    modes: FailureModes,
    when: Moments,
) -> Finding:
    order, machine = ordered
    ended_at = given.ended_at or order.ended_at or when.now
    started_at = given.started_at or order.started_at or ended_at
    found = Finding(given.outcome, started_at, ended_at, given.mode, given.component, given.failed_at)
    if found.outcome is Outcome.FAILED and found.failed_at is None:
        found = replace(found, failed_at=_failed_at(session, ordered, before))
    known_modes = {mode.code for mode in failure_modes_of(session, modes, machine.asset_class)}
    known_components = {each.component for each in components_of(session, machine.asset_class)}
    fault = fault_of_finding(found, known_modes, known_components, when.latest)
    if fault:
        raise BadInput(fault)
    return found


def _failed_at(session: Session, ordered: Ordered, before: WorkFinding | None) -> datetime | None:
    """The failure that is recorded already and was not over when the work was ordered, or that the corrected
    finding told.
    """
    order, machine = ordered
    told = before.failed_at if before else None
    return told or unrepaired_failure(session, machine, order.created_at, before.event_ids if before else ())


def _keep(
    session: Session,
    principal: Principal,
    ordered: Ordered,
    found: Finding,
    given: DoneIn,
    now: datetime,
    **detail: object,
) -> None:
    order, machine = ordered
    parts = (OUTCOME_WORDS[found.outcome], found.mode, found.component, given.note)
    note = f"Work order {order.id}: {', '.join(part for part in parts if part)}"[:LONGEST_NOTE]
    event_ids = record_found(session, principal, machine, events_of(found, note))
    worked = {"started_at": found.started_at, "ended_at": found.ended_at}
    told = {"outcome": found.outcome, "events": event_ids, **detail}
    # Of the version that the step makes, and stored before it, because the step tells what was found.
    row = WorkFinding(work_order_id=order.id, version=order.version + 1, at=now, actor=principal.actor)
    for name, value in vars(found).items():
        setattr(row, name, value)
    row.note, row.event_ids = given.note, event_ids
    session.add(row)
    actions.change(session, principal, ordered, State.DONE, given.why, worked, now, **told)
