"""The ledger: what was warned of, and what became of it. The database refuses to change or delete either."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

OUTCOMES = "outcome in ('open', 'hit', 'false', 'missed', 'found', 'unknown', 'withdrawn')"


class ServedAlert(Base):
    """A served prediction at or above the threshold, as it was first seen; a later score does not undo it."""

    __tablename__ = "served_alerts"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    as_of: Mapped[datetime] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    probability: Mapped[float]
    threshold: Mapped[float]
    horizon_hours: Mapped[float]
    scored_at: Mapped[datetime]


class OutcomeRevision(Base):
    """What became of a warning, or a failure or fault without one, as known when recorded; the newest one counts.

    `event_id` outlives an event that is withdrawn, and `predicted_until`, when the machine's last usable prediction
    was, those that are dropped. Money is in `currency` at the costs of that day.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        CheckConstraint(OUTCOMES, name="outcome"),
        CheckConstraint("subject in ('warning', 'failure')", name="subject"),
        Index("uq_outcomes_revision", "machine_id", "subject", "at", "revision", unique=True),
        Index("ix_outcomes_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    subject: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    revision: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    outcome: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    because: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    lead_time_hours: Mapped[float | None]
    model_id: Mapped[int | None] = mapped_column(ForeignKey("models.id"))
    asset_class: Mapped[str | None] = mapped_column(Text)
    probability: Mapped[float | None]
    threshold: Mapped[float | None]
    horizon_hours: Mapped[float | None]
    event_id: Mapped[int | None]
    work_order_id: Mapped[int | None] = mapped_column(ForeignKey("work_orders.id"))
    serviced: Mapped[bool] = mapped_column(server_default=text("false"))
    predicted_until: Mapped[datetime | None]
    preventive_cost: Mapped[float]
    failure_cost: Mapped[float]
    saved: Mapped[float]
    spent: Mapped[float]
    lost: Mapped[float]
    currency: Mapped[str] = mapped_column(Text)


class OutcomeMark(Base):
    """How far the ledger got with a machine: without it, old scores would be held to today's threshold.

    `told` counts what was known of it; counts instead of times, as in `ml.jobs.due`, so that nothing committed late
    is overlooked.
    """

    __tablename__ = "outcome_marks"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    looked_until: Mapped[datetime]
    told: Mapped[str] = mapped_column(Text)
