"""Machines and events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class EventKind(StrEnum):
    """What can happen to a machine; the only source of labels."""

    FAILURE = "failure"
    SERVICE = "service"
    FAULT_CODE = "fault_code"
    DECOMMISSION = "decommission"


class Machine(Base):
    """A machine under watch. `configured` is false while only a sensor has named it."""

    __tablename__ = "machines"
    __table_args__ = (
        CheckConstraint("support in ('rigid', 'flexible')", name="support"),
        CheckConstraint("length(key) between 1 and 100", name="key_length"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str | None] = mapped_column(Text)
    site: Mapped[str | None] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    asset_class: Mapped[str | None] = mapped_column(Text)
    rated_power_kw: Mapped[float | None]
    rated_current_a: Mapped[float | None]
    support: Mapped[str | None] = mapped_column(Text)
    installed_at: Mapped[datetime | None]
    decommissioned_at: Mapped[datetime | None]
    criticality: Mapped[int | None]
    downtime_cost_per_hour: Mapped[float | None]
    preventive_cost: Mapped[float | None]
    failure_cost: Mapped[float | None]
    configured: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Event(Base):
    """A failure, service, fault code or decommissioning; `code` is the failure mode, service kind or fault code."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("kind in ('failure', 'service', 'fault_code', 'decommission')", name="kind"),
        CheckConstraint("ended_at is null or ended_at >= started_at", name="order"),
        Index(
            "uq_events_what",
            "machine_id",
            "kind",
            "started_at",
            "code",
            "component",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_events_kind_started_at", "kind", "started_at"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str | None] = mapped_column(Text)
    component: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WithdrawnEvent(Base):
    """An event that turned out not to be so, as it was, with who took it back and why.

    It is no longer among the events, so nobody who learns from them can forget to leave it out. The database
    refuses to change or delete one.
    """

    __tablename__ = "withdrawn_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[int]
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str | None] = mapped_column(Text)
    component: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(Text)
    recorded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime] = mapped_column(server_default=func.now())
    withdrawn_by: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
