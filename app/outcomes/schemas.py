"""The ledger on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.outcomes.judging import Outcome, Subject
from app.outcomes.life import Reason


class RevisionOut(BaseModel):
    """What was known of a warning, or a failure or fault without, at `recorded_at`; money is an estimate."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    revision: int
    recorded_at: datetime
    outcome: Outcome
    reason: Reason
    because: str = Field(description="The reason as a sentence, with what was taken back before")
    subject: Subject
    at: datetime = Field(description="When the warning began; without one, when it failed or work found a fault")
    decided_at: datetime | None
    lead_time_hours: float | None
    model_id: int | None
    asset_class: str | None
    probability: float | None
    threshold: float | None
    horizon_hours: float | None
    event_id: int | None
    work_order_id: int | None
    preventive_cost: float
    failure_cost: float
    saved: float
    spent: float
    lost: float
    currency: str


class OutcomeOut(RevisionOut):
    """The newest revision of an entry."""

    machine: str
    name: str | None
    site: str | None
    line: str | None
    model_kind: str | None


class OutcomesOut(BaseModel):
    """One page, the newest warnings first; `total` counts all."""

    outcomes: list[OutcomeOut]
    total: int


class OutcomeHistoryOut(BaseModel):
    """All revisions, the oldest first; the last one counts."""

    machine: str
    revisions: list[RevisionOut]


class ShareOut(BaseModel):
    """`count` of `of`; with fewer than ten no rate. `low` and `high`: Wilson's 90 % interval."""

    model_config = ConfigDict(from_attributes=True)

    count: int
    of: int
    rate: float | None
    low: float | None
    high: float | None


class OutcomeSumsOut(BaseModel):
    """`found_in_time` of the hits were faults found before a failure; `found` are those without a warning.

    `net`: saved less spent; `precision`: hits of hits and false warnings; `recall`: failures that were warned of,
    of all failures. Money of `other_currency` entries is in another one and not summed.
    """

    hit: int
    found_in_time: int
    false: int
    missed: int
    found: int
    unknown: int
    open: int
    precision: ShareOut
    recall: ShareOut
    lead_time_hours_median: float | None
    other_currency: int
    saved: float
    spent: float
    net: float
    lost: float


class OutcomeGroupOut(OutcomeSumsOut):
    """Without a model none had spoken; without a class the machines name none."""

    model_id: int | None
    model_kind: str | None
    asset_class: str | None


class OutcomeSummaryOut(BaseModel):
    """Everything, then by model and asset class, the newest model first."""

    whole: OutcomeSumsOut
    groups: list[OutcomeGroupOut]
    currency: str
