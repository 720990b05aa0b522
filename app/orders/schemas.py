"""Work orders on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.fleet.machine_key import MachineKey
from app.moment import Moment
from app.orders.finding_rule import Outcome
from app.orders.states import State
from app.security.schemas import AccountName
from app.text import LONGEST_NOTE, Name, Note, several_lines

LARGEST_ID = 2**31 - 1

Version = Annotated[
    int, Field(ge=1, le=LARGEST_ID, strict=True, description="As last read; 409 where it has changed since")
]
Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NOTE, strip_whitespace=True),
    AfterValidator(several_lines),
]


class WorkOrderIn(BaseModel):
    """With `from_plan` the newest plan's proposal says why and until when, where nothing else does."""

    model_config = ConfigDict(extra="forbid")

    machine: MachineKey
    external_id: Name | None = Field(None, description="Its name elsewhere; the same again is the same order")
    from_plan: bool = Field(False, strict=True)
    work: Note | None = Field(None, description="What is to be done")
    due_at: Moment | None = None
    start: Moment | None = Field(None, description="With from_plan: as it was read there; 409 where it has changed")
    crew: Name | None = Field(None, description="Likewise")
    why: Note | None = None


class StepIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Version
    why: Note | None = None


class ScheduleIn(StepIn):
    start: Moment
    end: Moment
    crew: Name | None = Field(None, description="Who will do it, as the plant names them")


class StartIn(StepIn):
    started_at: Moment | None = Field(None, description="Now, where nothing is said")


class CancelIn(StepIn):
    why: Why


class DoneIn(StepIn):
    """What was found; the times are those of the work, which the order knows where nothing is said."""

    outcome: Outcome
    mode: Name | None = Field(None, description="A code of /failure-modes; for a fault or a failure")
    component: Name | None = Field(None, description="One of /components; routine without one is the whole machine")
    failed_at: Moment | None = Field(
        None, description="When it had failed; else the failure recorded since the last service"
    )
    started_at: Moment | None = None
    ended_at: Moment | None = Field(None, description="Now, where nothing is said")
    note: Note | None = None


class CorrectIn(DoneIn):
    why: Why


class WorkOrderOut(BaseModel):
    """`version` counts the changes; `probability_by_then` is the plan's risk until `due_at` when it was ordered."""

    id: int
    external_id: str | None
    machine: str
    name: str | None
    site: str | None
    line: str | None
    state: State
    version: int
    work: str | None
    due_at: datetime | None
    crew: str | None
    scheduled_start: datetime | None
    scheduled_end: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    plan_id: int | None
    probability_by_then: float | None
    created_at: datetime
    changed_at: datetime


class WorkOrdersOut(BaseModel):
    """One page, open ones first by their dates, then the others, newest change first; `total` counts all."""

    work_orders: list[WorkOrderOut]
    total: int


class WorkStepOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    version: int
    at: datetime
    actor: str
    from_state: State | None
    to_state: State
    why: str | None
    detail: dict[str, object]


class FindingOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    version: int
    at: datetime
    actor: str
    outcome: Outcome
    mode: str | None
    component: str | None
    failed_at: datetime | None
    started_at: datetime
    ended_at: datetime
    note: str | None


class WorkOrderHistoryOut(WorkOrderOut):
    """With who did what, when and why, and what was found, each the oldest first; the last finding counts."""

    history: list[WorkStepOut]
    findings: list[FindingOut]


class WorkOrderToldOut(WorkOrderOut):
    """What webhooks tell: the order as the step left it, and what was found once it is done."""

    step: WorkStepOut
    finding: FindingOut | None


class FeedIn(BaseModel):
    """What is not named lets all orders through."""

    model_config = ConfigDict(extra="forbid")

    name: AccountName
    site: Name | None = None
    line: Name | None = None
    crew: Name | None = None


class FeedOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    site: str | None
    line: str | None
    crew: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class FeedsOut(BaseModel):
    calendars: list[FeedOut]


class NewFeedOut(BaseModel):
    """The only answer that ever holds the address, which follows the service's own."""

    name: str
    address: str
