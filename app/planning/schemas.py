"""What the plan endpoint says."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class PlanItemOut(BaseModel):
    """A machine's proposed service, or why it has none (`service_by` null)."""

    machine: str
    name: str | None
    site: str | None
    line: str | None
    service_by: datetime | None = Field(description="Latest sensible date; earlier is never wrong")
    probability_by_then: float | None = Field(description="Without a date: within the longest horizon")
    cost_now: float | None = Field(description="Expected over the longest horizon when the proposal is followed")
    cost_if_waiting: float | None = Field(description="The same when the service waits a week longer")
    reason: str


class PlanTotals(BaseModel):
    """Sums over all proposed services that the filters let through, whatever the page."""

    services: int
    left_out: int
    cost_now: float
    cost_if_waiting: float
    saving: float


class PlanOut(BaseModel):
    """The newest plan; `reason` says why there is none yet."""

    id: int | None
    as_of: datetime | None
    created_at: datetime | None
    reason: str | None
    currency: str
    totals: PlanTotals
    items: list[PlanItemOut]
    left_out: list[PlanItemOut]
