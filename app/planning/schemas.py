"""What the plan endpoint says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.fleet.machine_key import MachineKey
from app.moment import Moment
from app.text import Name


class PlanItemOut(BaseModel):
    """A machine's proposed service, or why it has none (`service_by` null)."""

    machine: str
    name: str | None
    site: str | None
    line: str | None
    service_by: datetime | None = Field(description="When the work begins; as `start`")
    start: datetime | None
    end: datetime | None
    crew: str | None
    window: str | None = Field(description="A production window, or `day` and the date of an ordinary day")
    probability_by_then: float | None = Field(
        description="Of failing before the window; without a date: until the plan's end"
    )
    cost_now: float | None = Field(description="Expected until the plan's end when the proposal is followed")
    cost_if_waiting: float | None = Field(description="The same when the service waits for its next window")
    reason: str


class DeferIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    machine: MachineKey
    until: Moment = Field(description="No service is planned before")
    why: Annotated[Name, Field(description="Stands in the plan")]


class DeferralOut(BaseModel):
    machine: str
    until: datetime
    why: str
    actor: str
    at: datetime


class DeferralsOut(BaseModel):
    deferrals: list[DeferralOut]


class PlanTotals(BaseModel):
    """Sums over all proposed services that the filters let through, whatever the page; of `unpriced` ones no cost
    is known, and null says that it is of none."""

    services: int
    unpriced: int
    left_out: int
    cost_now: float | None
    cost_if_waiting: float | None
    saving: float | None


class PlanOut(BaseModel):
    """The newest plan; `reason` says why there is none yet.

    `cost` is expected of all machines until `until`, set-ups and moved services included; no plan costs less than
    `bound`, so this one could be cheaper by `gap` of its cost at most. `assumptions` stand in for what nobody said;
    `objections` name what cannot be as it was asked for. An `outdated` plan is being made anew.
    """

    id: int | None
    as_of: datetime | None
    created_at: datetime | None
    reason: str | None
    currency: str
    until: datetime | None
    cost: float | None
    bound: float | None
    gap: float | None
    outdated: bool
    assumptions: list[str]
    objections: list[str]
    totals: PlanTotals
    items: list[PlanItemOut]
    left_out: list[PlanItemOut]
