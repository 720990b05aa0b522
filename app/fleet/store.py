"""SQL for machines and events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, literal_column, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.fleet.event_rule import INSPECTION
from app.fleet.schemas import EventIn, EventOut
from app.fleet.tables import Event, EventKind, Machine

# What makes two events the same one, and what may be told later.
SAME_EVENT = ("machine_id", "kind", "started_at", "code", "component")
OPEN_FIELDS = ("ended_at", "note")


@dataclass(frozen=True)
class MachineFilter:
    site: str | None = None
    line: str | None = None
    q: str | None = None


def machine_by_key(session: Session, key: str) -> Machine:
    machine = session.scalar(select(Machine).where(Machine.key == key))
    if machine is None:
        raise NotFound(f"There is no machine {key}.")
    return machine


def list_machines(
    session: Session, wanted: MachineFilter, limit: int, offset: int
) -> tuple[Sequence[Machine], int]:
    found = _filtered(select(Machine), wanted)
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    return session.scalars(found.order_by(Machine.key).limit(limit).offset(offset)).all(), total


def _filtered(query: Select[Machine], wanted: MachineFilter) -> Select[Machine]:
    if wanted.site is not None:
        query = query.where(Machine.site == wanted.site)
    if wanted.line is not None:
        query = query.where(Machine.line == wanted.line)
    if wanted.q is not None:
        query = query.where(
            or_(Machine.key.icontains(wanted.q, autoescape=True), Machine.name.icontains(wanted.q, autoescape=True))
        )
    return query


def list_events(
    session: Session, machine: Machine, kind: EventKind | None, limit: int, offset: int
) -> tuple[list[EventOut], int]:
    query = select(Event).where(Event.machine_id == machine.id)
    if kind is not None:
        query = query.where(Event.kind == kind)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(Event.started_at.desc(), Event.id.desc()).limit(limit).offset(offset))
    return [event_out(machine, event) for event in rows], total


def event_out(machine: Machine, event: Event) -> EventOut:
    columns = {name: getattr(event, name) for name in EventOut.model_fields if name != "machine"}
    return EventOut(machine=machine.key, **columns)


def add_event(session: Session, machine: Machine, event: EventIn) -> int | None:
    """The new row's id, or None where the same event is already there."""
    row = insert(Event).values(machine_id=machine.id, **event.model_dump())
    return session.scalar(row.on_conflict_do_nothing().returning(Event.id))


def same_event(session: Session, machine: Machine, event: EventIn) -> Event:
    return session.scalars(
        select(Event)
        .where(
            Event.machine_id == machine.id,
            Event.kind == event.kind,
            Event.started_at == event.started_at,
            Event.code.is_not_distinct_from(event.code),
            Event.component.is_not_distinct_from(event.component),
        )
        .with_for_update()
    ).one()


def modes_in_use(session: Session, asset_class: str | None) -> set[str]:
    """Modes that stored failures of this class have, whatever the list says."""
    query = select(Event.code).join(Machine).where(Event.kind == EventKind.FAILURE, Event.code.is_not(None))
    if asset_class is not None:
        query = query.where(Machine.asset_class == asset_class)
    return {code for code in session.scalars(query.distinct()) if code is not None}


def components_in_use(session: Session, asset_class: str | None) -> set[str]:
    """Parts that stored events of this class name."""
    query = select(Event.component).join(Machine).where(Event.component.is_not(None))
    if asset_class is not None:
        query = query.where(Machine.asset_class == asset_class)
    return {component for component in session.scalars(query.distinct()) if component is not None}


def unrepaired_failure(
    session: Session, machine: Machine, since: datetime, without: Collection[int]
) -> datetime | None:
    """When the machine failed last, where it was not repaired by then and no service came after.

    `without` are events that do not count.
    """
    served = select(func.max(Event.started_at)).where(
        Event.machine_id == machine.id,
        Event.kind == EventKind.SERVICE,
        Event.code.is_distinct_from(INSPECTION),
        Event.id.not_in(without),
    )
    return session.scalar(
        select(func.max(Event.started_at)).where(
            Event.machine_id == machine.id,
            Event.kind == EventKind.FAILURE,
            Event.id.not_in(without),
            or_(Event.ended_at.is_(None), Event.ended_at > since),
            func.coalesce(Event.started_at > served.scalar_subquery(), true()),
        )
    )


def take_out(session: Session, ids: Collection[int]) -> Sequence[Event]:
    """The events that were still there, which no longer are."""
    return session.scalars(
        delete(Event).where(Event.id.in_(ids)).returning(Event).execution_options(synchronize_session=False)
    ).all()


def machine_ids(session: Session, keys: Collection[str]) -> dict[str, int]:
    rows = session.execute(select(Machine.key, Machine.id).where(Machine.key.in_(keys)))
    return {row.key: row.id for row in rows}


def note_decommissioning(session: Session, ids: Collection[int]) -> None:
    """A machine is out of use from its first decommission event on."""
    first = (
        select(Event.machine_id, func.min(Event.started_at).label("at"))
        .where(Event.kind == EventKind.DECOMMISSION, Event.machine_id.in_(ids))
        .group_by(Event.machine_id)
        .subquery()
    )
    session.execute(
        update(Machine)
        .where(Machine.id == first.c.machine_id)
        .values(decommissioned_at=func.least(Machine.decommissioned_at, first.c.at))
        .execution_options(synchronize_session=False)
    )


def insert_events(session: Session, rows: Sequence[dict[str, object]]) -> int:
    """How many were new. The others are there already; an end or a note they lack is filled in, never replaced."""
    add = insert(Event)
    given, there = add.excluded, Event.__table__.c
    filled = {name: func.coalesce(there[name], given[name]) for name in OPEN_FIELDS}
    lacking = or_(*(there[name].is_(None) & given[name].is_not(None) for name in OPEN_FIELDS))
    add = add.on_conflict_do_update(index_elements=SAME_EVENT, set_=filled, where=lacking)
    # PostgreSQL marks a row that was there before in its hidden column xmax.
    new: list[bool] = list(session.scalars(add.returning(literal_column("xmax = 0")), _each_once(rows)))
    return sum(new)


def _each_once(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """One statement cannot touch a row twice; the first of equal events stays, with what later ones add."""
    events: dict[tuple[object, ...], dict[str, object]] = {}
    for row in rows:
        first = events.setdefault(tuple(row[name] for name in SAME_EVENT), dict(row))
        first |= {name: row[name] for name in OPEN_FIELDS if first[name] is None}
    return list(events.values())


def upsert_machines(session: Session, rows: Sequence[dict[str, object]], columns: Sequence[str]) -> int:
    """How many were new. What a row leaves empty stays as it is."""
    known = machine_ids(session, {str(row["key"]) for row in rows})
    upsert = insert(Machine)
    given = {name: func.coalesce(upsert.excluded[name], Machine.__table__.c[name]) for name in columns}
    upsert = upsert.on_conflict_do_update(index_elements=["key"], set_={**given, "configured": True})
    session.execute(upsert, [{**row, "configured": True} for row in rows])
    return len({row["key"] for row in rows} - known.keys())
