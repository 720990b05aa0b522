"""What the answer to a what-if says."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Slot(BaseModel):
    start: datetime
    end: datetime
    crew: str
    window: str


class Change(BaseModel):
    """A machine that would have another slot or crew; null: no service."""

    machine: str
    before: Slot | None
    then: Slot | None
    reason: str


class WhatIfAnswer(BaseModel):
    """Expected costs until the plan's end, of a plan made now and of the one asked for; each could be cheaper by
    its gap."""

    model_config = ConfigDict(from_attributes=True)

    cost: float
    cost_then: float
    saving: float
    gap: float
    gap_then: float
    services: int
    services_then: int
    objections: list[str]
    assumptions: list[str]
    changes: list[Change]


class WhatIfOut(BaseModel):
    """`fault` says why there is no answer; while neither is there, ask again in a second."""

    id: int
    answer: WhatIfAnswer | None = None
    fault: str | None = None
