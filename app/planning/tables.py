"""Plans: proposed services with slot, crew and reason, made by the plan job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Plan(Base):
    """One run of the planner. No plan for the same plant costs less than `bound` until `ends_at`.

    `assumptions`: what stood in for what nobody said; `objections`: what cannot be as it was asked for. It is
    `outdated` once what it has to keep to was changed.
    """

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    as_of: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime | None]
    cost: Mapped[float | None]
    bound: Mapped[float | None]
    objections: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    assumptions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    outdated: Mapped[bool] = mapped_column(server_default=text("false"))

    @property
    def gap(self) -> float | None:
        """By how much of its cost it could be cheaper at most."""
        if self.cost is None or self.bound is None:
            return None
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0


class PlanDeferral(Base):
    """Somebody wants no service of a machine before `until`; its newest one counts, and none is ever changed."""

    __tablename__ = "plan_deferrals"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), index=True)
    until: Mapped[datetime]
    why: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PlanItem(Base):
    """One machine's proposed service, or why it has none (`service_by` is null).

    Work is planned from `service_by` until `ends_at`. `cost_now` is expected until the plan's end where the
    proposal is followed, `cost_if_waiting` where the machine waits for its next window.
    """

    __tablename__ = "plan_items"
    __table_args__ = (Index("ix_plan_items_plan_id_service_by", "plan_id", "service_by"),)

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    prediction_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("predictions.id"))
    service_by: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    crew: Mapped[str | None] = mapped_column(Text)
    planned_window: Mapped[str | None] = mapped_column(Text)
    probability_by_then: Mapped[float | None]
    cost_now: Mapped[float | None]
    cost_if_waiting: Mapped[float | None]
    currency: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
