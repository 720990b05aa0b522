"""How good the data are, on the wire: who sent what, what is doubtful, who is silent."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from app.ingest.asset_classes import Plausible


class AccountOut(BaseModel):
    """What one sender sent, or what was sent about one machine. Every row sent counts exactly once."""

    sender: str | None = Field(description="Null where senders are taken together.")
    machine: str | None = Field(
        description="Null where machines are taken together, or the row named no known one."
    )
    accepted: int
    duplicates: int
    merged: int
    conflicts: int
    rejected: dict[str, int] = Field(description="Rows not stored, by kind of reason.")
    late: int = Field(description="Rows that came more than `WEARWATCH_LATE_AFTER` after they were measured.")
    least_lag_s: int | None = Field(
        description="Least seconds from measuring to receiving; below 0 a clock is ahead."
    )
    largest_lag_s: int | None
    last_received_at: datetime
    quiet_for_s: float = Field(description="Seconds since anything came.")
    clock: str | None = Field(description="What is doubtful about the sender's clock, by its last 24 hours.")


class AccountPage(BaseModel):
    items: list[AccountOut]
    total: int
    counted_until: datetime | None = Field(description="Null: everything is counted. A time: the worker is behind.")


class SilentOut(BaseModel):
    machine: str
    site: str | None
    line: str | None
    last_measured_at: datetime | None = Field(description="Null where the machine never sent anything.")


class SilentPage(BaseModel):
    """Machines in service without a reading for `silent_after_s`; those silent for longest come first."""

    items: list[SilentOut]
    total: int
    silent_after_s: float


class FlagOut(BaseModel):
    """A doubt about one channel in one roll-up bucket. The readings are stored; the doubt stands beside."""

    machine: str
    channel: str
    kind: str = Field(description="`outside_range`, `too_fast`, `stuck`, `counter_reset` or `counter_fell`.")
    bucket_start: datetime
    n: int = Field(description="How many readings of the bucket.")
    first_at: datetime
    value: float = Field(description="The first of them.")
    before: float | None = Field(description="The value before it, where the doubt is about a change.")


class FlagPage(BaseModel):
    items: list[FlagOut]
    total: int = Field(description="How many in all, counted up to 10,000.")


class PlausibleOut(BaseModel):
    """By asset class and channel; `default` holds for classes without an entry."""

    classes: dict[str, dict[str, Plausible]]
