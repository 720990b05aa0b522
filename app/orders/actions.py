"""The story of a work order: made, accepted, scheduled, started, cancelled; each step with who, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.announce import announce
from app.errors import BadInput, Conflict
from app.fleet.store import machine_by_key
from app.fleet.tables import Machine
from app.orders import store
from app.orders.schemas import CancelIn, ScheduleIn, StartIn, StepIn, WorkOrderIn
from app.orders.states import State, fault_of_step, words
from app.orders.store import Ordered
from app.orders.tables import WorkOrder, WorkStep
from app.orders.telling import tell
from app.planning.store import deferral_of, outdate_plan
from app.security.principal import Principal

# Longer work is a wrong date.
LONGEST_WORK = timedelta(days=31)
# The worker plans anew after each scoring: a plan of before speaks of risks of before.
PLAN_HOLDS = timedelta(days=1)


def add_order(session: Session, principal: Principal, given: WorkOrderIn, now: datetime) -> tuple[Ordered, bool]:
    """The order, and whether it is new: the same external id again is the same order, whatever became of it.

    Raises Conflict where the machine has an open order, or the external id names one on another machine.
    """
    machine = machine_by_key(session, given.machine)
    if given.external_id is not None and (known := store.order_named(session, given.external_id)):
        return _same(known, given), False
    planned, why = _from_plan(session, machine, given, now) if given.from_plan else ({}, given.why)
    told: dict[str, object] = {"external_id": given.external_id, "work": given.work, **planned}
    if given.due_at is not None:
        told["due_at"] = given.due_at
    order_id = store.add_order(
        session, machine_id=machine.id, state=State.PROPOSED, version=1, created_at=now, changed_at=now, **told
    )
    if order_id is None:
        return _already_there(session, machine, given), False
    ordered = store.order_by_id(session, order_id)
    _note(session, principal, ordered, None, why, {"from_plan": given.from_plan}, now)
    return ordered, True


def _from_plan(
    session: Session, machine: Machine, given: WorkOrderIn, now: datetime
) -> tuple[Mapping[str, object], str | None]:
    """Raises Conflict where there is no such proposal, or no longer."""
    found = store.proposal(session, machine.id)
    if found is None:
        raise Conflict(f"The newest plan proposes no service for {machine.key}.")
    item, planned_at = found
    assert item.service_by is not None
    if given.start not in (None, item.service_by) or given.crew not in (None, item.crew):
        raise Conflict(
            f"The plan has changed: {machine.key} is now proposed for {item.service_by:%a %-d %b %H:%M} UTC"
            f"{f' by {item.crew}' if item.crew else ''}. Look again before you accept."
        )
    if machine.decommissioned_at is not None and machine.decommissioned_at <= now:
        raise Conflict(f"{machine.key} is out of use since {machine.decommissioned_at:%a %-d %b %H:%M} UTC.")
    if planned_at < now - PLAN_HOLDS:
        raise Conflict(
            f"The newest plan is of {planned_at:%a %-d %b %H:%M} UTC; see why the worker makes no other."
        )
    if (deferral := deferral_of(session, machine.id, now)) is not None and item.service_by < deferral.until:
        raise Conflict(f"{machine.key} was deferred until {deferral.until:%a %-d %b %H:%M} UTC: {deferral.why}")
    if item.ends_at is not None and item.ends_at <= now:
        raise Conflict(f"The time proposed for {machine.key} is over; the next plan proposes another.")
    planned: dict[str, object] = {
        "plan_id": item.plan_id,
        "due_at": item.service_by,
        "probability_by_then": item.probability_by_then,
    }
    if item.ends_at is not None:
        planned |= {"crew": item.crew, "scheduled_start": item.service_by, "scheduled_end": item.ends_at}
    return planned, given.why or item.reason


def _already_there(session: Session, machine: Machine, given: WorkOrderIn) -> Ordered:
    """What another request made a moment ago. Raises Conflict where it is not the same order."""
    if given.external_id is not None and (known := store.order_named(session, given.external_id)):
        return _same(known, given)
    other = store.open_order(session, machine.id)
    if other is None:
        raise Conflict(f"Another order for {machine.key} was made at the same time; try again.")
    raise Conflict(
        f"{machine.key} has an open work order already: {other.order.id}, {words(State(other.order.state))}.",
        work_order=other.order.id,
    )


def _same(known: Ordered, given: WorkOrderIn) -> Ordered:
    if known.machine.key != given.machine:
        raise Conflict(f"The external id {given.external_id} names a work order for {known.machine.key}.")
    return known


def accept(session: Session, principal: Principal, order_id: int, given: StepIn, now: datetime) -> Ordered:
    return take_step(session, principal, order_id, given, State.ACCEPTED, {}, now)


def order_and_accept(session: Session, principal: Principal, given: WorkOrderIn, now: datetime) -> Ordered:
    """Whoever makes the order has decided. Raises Conflict as `add_order` does."""
    ordered, new = add_order(session, principal, given, now)
    if new:
        return accept(session, principal, ordered.order.id, StepIn(version=ordered.order.version), now)
    return ordered


def schedule(session: Session, principal: Principal, order_id: int, given: ScheduleIn, now: datetime) -> Ordered:
    """Also again: a date may move, and with it who does the work."""
    if not timedelta() < given.end - given.start <= LONGEST_WORK:
        raise BadInput(f"The work must end after it starts, within {LONGEST_WORK.days} days.")
    if given.end <= now:
        raise BadInput("This date is over.")
    columns = {"scheduled_start": given.start, "scheduled_end": given.end, "crew": given.crew}
    return take_step(session, principal, order_id, given, State.SCHEDULED, columns, now)


def start(
    session: Session, principal: Principal, order_id: int, given: StartIn, now: datetime, latest: datetime
) -> Ordered:
    """`latest` is now, plus what a clock may run ahead."""
    if given.started_at is not None and given.started_at > latest:
        raise BadInput("The start lies in the future.")
    columns = {"started_at": given.started_at or now}
    return take_step(session, principal, order_id, given, State.IN_PROGRESS, columns, now)


def cancel(session: Session, principal: Principal, order_id: int, given: CancelIn, now: datetime) -> Ordered:
    return take_step(session, principal, order_id, given, State.CANCELLED, {}, now)


def take_step(
    session: Session,
    principal: Principal,
    order_id: int,
    given: StepIn,
    state: State,
    columns: Mapping[str, object],
    now: datetime,
) -> Ordered:
    """Raises Conflict where the order has changed since it was read, or cannot go into this state."""
    ordered = as_read(session, order_id, given.version)
    refuse_step(ordered.order, state)
    change(session, principal, ordered, state, given.why, columns, now)
    return ordered


def refuse_step(order: WorkOrder, state: State) -> None:
    """Raises Conflict where the order cannot go into this state."""
    fault = fault_of_step(State(order.state), state)
    if fault:
        raise Conflict(fault)


def as_read(session: Session, order_id: int, version: int) -> Ordered:
    """The order, locked. Raises Conflict where somebody changed it since this version was read."""
    ordered = store.locked(session, order_id)
    if ordered.order.version != version:
        last = store.last_step(session, ordered.order)
        raise Conflict(
            f"Work order {order_id} has changed since you looked: {words(State(last.to_state))},"
            f" by {last.actor} at {last.at:%H:%M} UTC on {last.at:%-d %b}. Look again before you go on.",
            version=ordered.order.version,
        )
    return ordered


def change(
    session: Session,
    principal: Principal,
    ordered: Ordered,
    state: State,
    why: str | None,
    columns: Mapping[str, object],
    now: datetime,
    **detail: object,
) -> None:
    """The order in its new state, and the step in its history; plans keep to it from now on."""
    order = ordered.order
    before = State(order.state)
    for name, value in columns.items():
        setattr(order, name, value)
    order.state, order.version, order.changed_at = state, order.version + 1, now
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}
    _note(session, principal, ordered, before, why, told | detail, now)
    outdate_plan(session)


def _note(
    session: Session,
    principal: Principal,
    ordered: Ordered,
    before: State | None,
    why: str | None,
    detail: dict[str, object],
    now: datetime,
) -> None:
    order = ordered.order
    step = WorkStep(
        work_order_id=order.id,
        version=order.version,
        at=now,
        actor=principal.actor,
        from_state=before,
        to_state=order.state,
        why=why or None,
        detail=detail,
    )
    session.add(step)
    session.flush()
    tell(session, ordered, step)
    announce(session, "work")
