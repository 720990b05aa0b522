"""Reads the flags and the silent machines, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.fleet.tables import Machine
from app.ingest.latest import silent_machines
from app.ingest.quality_tables import ReadingFlag
from app.ingest.tables import Channel

COUNTED_UP_TO = 10_000


def flags(
    session: Session,
    machine_id: int | None,
    kind: str | None,
    since: datetime | None,
    limit: int,
    offset: int,
) -> tuple[list[dict[str, Any]], int]:
    """Newest first, and how many there are in all, counted up to a bound."""
    wanted = list(_wanted(machine_id, kind, since))
    columns = (getattr(ReadingFlag, name) for name in ("kind", "bucket_start", "n", "first_at", "value", "before"))
    query = (
        select(Machine.key.label("machine"), Channel.key.label("channel"), *columns)
        .join(Machine, Machine.id == ReadingFlag.machine_id)
        .join(Channel, Channel.id == ReadingFlag.channel_id)
        .where(*wanted)
        .order_by(ReadingFlag.bucket_start.desc(), Machine.key, Channel.key, ReadingFlag.kind)
        .limit(limit)
        .offset(offset)
    )
    counted = select(ReadingFlag.n).where(*wanted).limit(COUNTED_UP_TO).subquery()
    total = session.scalar(select(func.count()).select_from(counted)) or 0
    return [dict(row) for row in session.execute(query).mappings()], total


def _wanted(machine_id: int | None, kind: str | None, since: datetime | None) -> Iterator[ColumnElement[bool]]:
    if machine_id is not None:
        yield ReadingFlag.machine_id == machine_id
    if kind is not None:
        yield ReadingFlag.kind == kind
    if since is not None:
        yield ReadingFlag.bucket_start >= since


def silent(
    session: Session, now: datetime, silent_after: timedelta, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Silent for longest first, those that never sent anything before them."""
    last = silent_machines(session, now - silent_after)
    long_ago = now - timedelta(days=100_000)
    ordered = sorted(last, key=lambda machine_id: (last[machine_id] or long_ago, machine_id))
    shown = ordered[offset : offset + limit]
    machines = {machine.id: machine for machine in session.scalars(select(Machine).where(Machine.id.in_(shown)))}
    rows: list[dict[str, Any]] = [
        {
            "machine": machines[machine_id].key,
            "site": machines[machine_id].site,
            "line": machines[machine_id].line,
            "last_measured_at": last[machine_id],
        }
        for machine_id in shown
    ]
    return rows, len(ordered)
