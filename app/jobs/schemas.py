"""Jobs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LONGEST_HORIZON_HOURS = 87_600
Horizon = Annotated[float, Field(gt=0, le=LONGEST_HORIZON_HOURS, allow_inf_nan=False)]


class JobIn(BaseModel):
    """Ask the worker to train. Horizons are those of the settings unless named."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["train"]
    horizons_hours: list[Horizon] | None = Field(None, min_length=1, max_length=50)
    seed: int = Field(0, ge=0, le=2**31 - 1)


class JobOut(BaseModel):
    """A job; `started_at` and `finished_at` are null until then. Finished jobs that went well are not kept.

    `reason`: why a training failed; of other jobs the worker's log says it. `left_alone_until`: a training that
    failed, or ended its worker again, is not taken up before.
    """

    id: int
    kind: str
    status: str
    attempts: int
    asked_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    left_alone_until: datetime | None
    reason: str | None


class JobsOut(BaseModel):
    jobs: list[JobOut]
