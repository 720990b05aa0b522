"""The story of a machine: made known, changed, and what happens to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.announce import announce
from app.errors import BadInput, Conflict
from app.fleet.components import SUBUNITS
from app.fleet.event_rule import fault_of_event, fault_of_mode
from app.fleet.failure_modes import FailureModes
from app.fleet.schemas import ComponentOut, EventIn, EventOut, FailureModeOut, MachineChange, MachineIn, MachineOut
from app.fleet.store import (
    OPEN_FIELDS,
    add_event,
    components_in_use,
    event_out,
    machine_by_key,
    machine_ids,
    modes_in_use,
    note_decommissioning,
    same_event,
    take_out,
)
from app.fleet.tables import Event, EventKind, Machine, WithdrawnEvent
from app.security.audit import audit
from app.security.principal import Principal

WITHDRAWN = ("machine_id", "kind", "code", "component", "started_at", "ended_at", "note", "recorded_at")


def add_machine(session: Session, principal: Principal, given: MachineIn) -> MachineOut:
    """Raises Conflict where the key is taken."""
    if machine_ids(session, [given.key]):
        raise Conflict(f"There is already a machine {given.key}.")
    machine = Machine(**given.model_dump())
    session.add(machine)
    session.flush()
    _tell(session, principal, "add machine", machine, given)
    return MachineOut.model_validate(machine)


def change_machine(session: Session, principal: Principal, key: str, given: MachineChange) -> MachineOut:
    """Changes what `given` names; a machine that only a sensor had named is configured from now on."""
    machine = machine_by_key(session, key)
    for name, value in given.model_dump(exclude_unset=True).items():
        setattr(machine, name, value)
    machine.configured = True
    session.flush()
    _tell(session, principal, "change machine", machine, given)
    return MachineOut.model_validate(machine)


def put_machine(session: Session, principal: Principal, key: str, given: MachineChange) -> tuple[MachineOut, bool]:
    """The machine exactly as given, and whether it is new."""
    if not machine_ids(session, [key]):
        return add_machine(session, principal, MachineIn(key=key, **given.model_dump())), True
    whole = MachineChange(**{name: getattr(given, name) for name in MachineChange.model_fields})
    return change_machine(session, principal, key, whole), False


def _tell(session: Session, principal: Principal, action: str, machine: Machine, given: MachineChange) -> None:
    audit(session, principal, action, machine.key, given.model_dump(mode="json", exclude_unset=True))
    announce(session, "machine", machine.key)


def record_event(
    session: Session, principal: Principal, key: str, given: EventIn, modes: FailureModes, latest: datetime
) -> tuple[EventOut, bool]:
    """The event, and whether it is new. The same again is answered the same; what was open is filled in."""
    machine = machine_by_key(session, key)
    known = {mode.code for mode in failure_modes_of(session, modes, machine.asset_class)}
    fault = fault_of_event(given.kind, given.code, given.started_at, given.ended_at, latest) or fault_of_mode(
        given.kind, given.code, known
    )
    if fault:
        raise BadInput(fault)
    new = add_event(session, machine, given) is not None
    event = same_event(session, machine, given)
    if new or _fill_in(event, given):
        session.flush()
        if event.kind == EventKind.DECOMMISSION:
            note_decommissioning(session, [machine.id])
        audit(session, principal, "record event", key, given.model_dump(mode="json", exclude_unset=True))
        announce(session, "event", key)
    return event_out(machine, event), new


def _fill_in(event: Event, given: EventIn) -> bool:
    """Whether something open was filled in. Raises Conflict where the same event is told differently."""
    told = {name: value for name in OPEN_FIELDS if (value := getattr(given, name)) is not None}
    # All are compared before one is set: a page answers a conflict, and commits what was set.
    for name, value in told.items():
        if getattr(event, name) not in (None, value):
            raise Conflict(f"This event is already recorded with another {name}.")
    changed = [name for name in told if getattr(event, name) is None]
    for name in changed:
        setattr(event, name, told[name])
    return bool(changed)


def record_found(session: Session, principal: Principal, machine: Machine, events: Sequence[EventIn]) -> list[int]:
    """The ids of those that are new. What a known one leaves open is filled in; its rest stays as it was told."""
    new = []
    for given in events:
        event_id = add_event(session, machine, given)
        if event_id is not None:
            new.append(event_id)
            audit(session, principal, "record event", machine.key, given.model_dump(mode="json", exclude_none=True))
            continue
        event = same_event(session, machine, given)
        for name in OPEN_FIELDS:
            if getattr(event, name) is None:
                setattr(event, name, getattr(given, name))
    session.flush()
    announce(session, "event", machine.key)
    return new


def withdraw(session: Session, principal: Principal, machine: Machine, ids: Collection[int], why: str) -> None:
    """These events were not so: they are kept apart with who took them back, and nobody learns from them."""
    for event in take_out(session, ids):
        kept = {name: getattr(event, name) for name in WITHDRAWN}
        session.add(WithdrawnEvent(event_id=event.id, withdrawn_by=principal.actor, why=why, **kept))
        audit(
            session, principal, "withdraw event", machine.key, {"event": event.id, "kind": event.kind, "why": why}
        )
    session.flush()
    announce(session, "event", machine.key)


def components_of(session: Session, asset_class: str | None) -> list[ComponentOut]:
    """ISO 14224's parts of a motor, then those that only stored events of this class name."""
    others = sorted(components_in_use(session, asset_class) - SUBUNITS.keys())
    listed = [ComponentOut(component=component, subunit=subunit) for component, subunit in SUBUNITS.items()]
    return listed + [ComponentOut(component=component, subunit=None) for component in others]


def failure_modes_of(session: Session, modes: FailureModes, asset_class: str | None) -> list[FailureModeOut]:
    """Declared modes, then those that only stored failures of this class use."""
    declared = modes.of(asset_class)
    others = sorted(modes_in_use(session, asset_class) - declared.keys())
    return [
        *(FailureModeOut(code=code, words=words, declared=True) for code, words in declared.items()),
        *(FailureModeOut(code=code, words=code, declared=False) for code in others),
    ]
