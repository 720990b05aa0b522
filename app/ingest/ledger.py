"""The ledgers of refused and of contradicting readings, a page at a time, newest first."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.fleet.tables import Machine
from app.ingest.schemas import ConflictOut, ConflictPage, RejectedOut, RejectedPage
from app.ingest.tables import ReadingConflict, RejectedReading


def rejected(session: Session, machine: str | None, before: int | None, limit: int) -> RejectedPage:
    query = select(RejectedReading).order_by(RejectedReading.id.desc()).limit(limit)
    if machine is not None:
        query = query.where(RejectedReading.machine == machine)
    if before is not None:
        query = query.where(RejectedReading.id < before)
    items = [RejectedOut.model_validate(row, from_attributes=True) for row in session.scalars(query)]
    return RejectedPage(items=items, next=items[-1].id if len(items) == limit else None)


def conflicts(session: Session, machine: str | None, before: int | None, limit: int) -> ConflictPage:
    query = (
        select(ReadingConflict, Machine.key)
        .join(Machine, Machine.id == ReadingConflict.machine_id)
        .order_by(ReadingConflict.id.desc())
        .limit(limit)
    )
    if machine is not None:
        query = query.where(Machine.key == machine)
    if before is not None:
        query = query.where(ReadingConflict.id < before)
    items = [_conflict(row, key) for row, key in session.execute(query)]
    return ConflictPage(items=items, next=items[-1].id if len(items) == limit else None)


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
