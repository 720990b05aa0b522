"""Machines and events on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.fleet.machine_key import MachineKey
from app.fleet.tables import EventKind
from app.moment import Moment
from app.text import Name, Note

# Generous: the largest motors have about 100 MW; amounts fit any currency.
Power = Annotated[float, Field(gt=0, le=1e6, strict=True, allow_inf_nan=False)]
Current = Annotated[float, Field(gt=0, le=1e6, strict=True, allow_inf_nan=False)]
Money = Annotated[float, Field(ge=0, le=1e12, strict=True, allow_inf_nan=False)]
Criticality = Annotated[int, Field(ge=1, le=5, strict=True, description="1 least, 5 most critical")]


class MachineChange(BaseModel):
    """What may be said of a machine. With PATCH, what is not named stays; null empties."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    site: Name | None = None
    line: Name | None = None
    asset_class: Name | None = None
    rated_power_kw: Power | None = None
    rated_current_a: Current | None = None
    support: Literal["rigid", "flexible"] | None = None
    installed_at: Moment | None = None
    decommissioned_at: Moment | None = None
    criticality: Criticality | None = None
    downtime_cost_per_hour: Money | None = None
    preventive_cost: Money | None = None
    failure_cost: Money | None = None


class MachineIn(MachineChange):
    key: MachineKey


class MachineOut(BaseModel):
    """`configured` is false while only a sensor has named the machine."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    name: str | None
    site: str | None
    line: str | None
    asset_class: str | None
    rated_power_kw: float | None
    rated_current_a: float | None
    support: Literal["rigid", "flexible"] | None
    installed_at: datetime | None
    decommissioned_at: datetime | None
    criticality: int | None
    downtime_cost_per_hour: float | None
    preventive_cost: float | None
    failure_cost: float | None
    configured: bool
    created_at: datetime


class MachinesOut(BaseModel):
    """One page, by key; `total` counts all that the filters let through."""

    machines: list[MachineOut]
    total: int


class EventIn(BaseModel):
    """`code` is the failure mode, the kind of service, or the fault code."""

    model_config = ConfigDict(extra="forbid")

    kind: EventKind
    code: Name | None = None
    component: Name | None = None
    started_at: Moment
    ended_at: Moment | None = None
    note: Note | None = None


class EventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    machine: str
    kind: EventKind
    code: str | None
    component: str | None
    started_at: datetime
    ended_at: datetime | None
    note: str | None
    recorded_at: datetime


class EventsOut(BaseModel):
    """One page, newest first; `total` counts all that the filters let through."""

    events: list[EventOut]
    total: int


class FailureModeOut(BaseModel):
    """`declared` is false for a mode that only imported history uses."""

    code: str
    words: str
    declared: bool


class FailureModesOut(BaseModel):
    failure_modes: list[FailureModeOut]


class ComponentOut(BaseModel):
    """`subunit` is null for a part that only recorded events name."""

    component: str
    subunit: str | None


class ComponentsOut(BaseModel):
    components: list[ComponentOut]
