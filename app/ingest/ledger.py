"""The ledgers of refused and of contradicting readings, a page at a time, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.fleet.tables import Machine
from app.ingest.schemas import ConflictOut, ConflictPage, RejectedOut, RejectedPage
from app.ingest.tables import ReadingConflict, RejectedReading


@dataclass(frozen=True)
class Asked:
    """Which rows: of one machine, of one sender, received since then, before the row with that id."""

    machine: str | None = None
    sender: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 100


def rejected(session: Session, asked: Asked) -> RejectedPage:
    query = (
        select(RejectedReading)
        .where(*_wanted(asked, RejectedReading, RejectedReading.machine == asked.machine))
        .order_by(RejectedReading.id.desc())
        .limit(asked.limit)
    )
    items = [RejectedOut.model_validate(row, from_attributes=True) for row in session.scalars(query)]
    return RejectedPage(items=items, next=_next(items, asked))


def conflicts(session: Session, asked: Asked) -> ConflictPage:
    machine_id = select(Machine.id).where(Machine.key == asked.machine).scalar_subquery()
    query = (
        select(ReadingConflict, Machine.key)
        .join(Machine, Machine.id == ReadingConflict.machine_id)
        .where(*_wanted(asked, ReadingConflict, ReadingConflict.machine_id == machine_id))
        .order_by(ReadingConflict.id.desc())
        .limit(asked.limit)
    )
    items = [_conflict(row, key) for row, key in session.execute(query)]
    return ConflictPage(items=items, next=_next(items, asked))


def _wanted(
    asked: Asked, table: type[RejectedReading] | type[ReadingConflict], of_machine: ColumnElement[bool]
) -> Iterator[ColumnElement[bool]]:
    if asked.machine is not None:
        yield of_machine
    if asked.sender is not None:
        yield table.sender == asked.sender
    if asked.since is not None:
        yield table.received_at >= asked.since
    if asked.before is not None:
        yield table.id < asked.before


def _next(items: Sequence[RejectedOut] | Sequence[ConflictOut], asked: Asked) -> int | None:
    return items[-1].id if len(items) == asked.limit else None


def _conflict(row: ReadingConflict, key: str) -> ConflictOut:
    return ConflictOut(
        id=row.id,
        machine=key,
        measured_at=row.measured_at,
        channel=row.channel,
        stored_value=row.stored_value,
        refused_value=row.refused_value,
        sender=row.sender,
        received_at=row.received_at,
    )
