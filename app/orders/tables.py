"""Work orders and their history."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

STATES = "state in ('proposed', 'accepted', 'scheduled', 'in_progress', 'done', 'cancelled')"
OPEN = "state in ('proposed', 'accepted', 'scheduled', 'in_progress')"
OUTCOMES = "outcome in ('fault_found', 'failed', 'nothing_wrong', 'sensor_fault', 'routine')"


class WorkOrder(Base):
    """One piece of work on one machine. `version` counts its changes; `plan_id` outlives the plan it names."""

    __tablename__ = "work_orders"
    __table_args__ = (
        CheckConstraint(STATES, name="state"),
        CheckConstraint("scheduled_end > scheduled_start", name="schedule"),
        CheckConstraint("ended_at >= started_at", name="work"),
        Index("uq_work_orders_open", "machine_id", unique=True, postgresql_where=text(OPEN)),
        Index("ix_work_orders_scheduled_end", "scheduled_end"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    uid: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    external_id: Mapped[str | None] = mapped_column(Text, unique=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), index=True)
    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    work: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime | None]
    crew: Mapped[str | None] = mapped_column(Text)
    scheduled_start: Mapped[datetime | None]
    scheduled_end: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    plan_id: Mapped[int | None]
    probability_by_then: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WorkStep(Base):
    """Who brought a work order into which state, when and why. The database refuses to change or delete one."""

    __tablename__ = "work_steps"
    __table_args__ = (Index("uq_work_steps_version", "work_order_id", "version", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    work_order_id: Mapped[int] = mapped_column(ForeignKey("work_orders.id"))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str] = mapped_column(Text)
    from_state: Mapped[str | None] = mapped_column(Text)
    to_state: Mapped[str] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[dict[str, object]]


class WorkFinding(Base):
    """What a work order found; the newest of an order counts, and the database refuses to change or delete one.

    `event_ids` are the events that it told and nobody had told before: those it takes back when it is corrected.
    """

    __tablename__ = "work_findings"
    __table_args__ = (
        CheckConstraint(OUTCOMES, name="outcome"),
        Index("uq_work_findings_version", "work_order_id", "version", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    work_order_id: Mapped[int] = mapped_column(ForeignKey("work_orders.id"))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    mode: Mapped[str | None] = mapped_column(Text)
    component: Mapped[str | None] = mapped_column(Text)
    failed_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(Text)
    event_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class CalendarFeed(Base):
    """A secret address for calendars; only the SHA-256 of its token is kept. What it names narrows it."""

    __tablename__ = "calendar_feeds"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    site: Mapped[str | None] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    crew: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None]
