"""Proposed services: one plan at a time, made by the plan job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Plan(Base):
    """One run of the planner."""

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    as_of: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PlanItem(Base):
    """One machine's proposed service, or why it has none (`service_by` is null).

    `cost_now` is expected where the proposal is followed, `cost_if_waiting` where it is not; see optimiser.
    """

    __tablename__ = "plan_items"
    __table_args__ = (Index("ix_plan_items_plan_id_service_by", "plan_id", "service_by"),)

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    prediction_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("predictions.id"))
    service_by: Mapped[datetime | None]
    probability_by_then: Mapped[float | None]
    cost_now: Mapped[float | None]
    cost_if_waiting: Mapped[float | None]
    currency: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
