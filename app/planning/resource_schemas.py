"""What a plan has to keep to, as planners write it: crews, windows, lines, parts, set-ups, needs of services."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.fleet.schemas import Money
from app.moment import Moment
from app.planning.shifts import hours_of
from app.text import Name

# No plant has more; what comes in stays small enough to be checked at once.
MOST = 2000
MOST_HOURS = 1000.0


def _hours(text: str) -> str:
    hours_of(text)
    return text.strip()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone like Europe/Berlin or UTC") from error
    return name


Hours = Annotated[str, AfterValidator(_hours)]
Shifts = Annotated[list[Hours], Field(max_length=10)]
Zone = Annotated[Name, AfterValidator(_zone)]
Names = Annotated[list[Name], Field(max_length=MOST)]
Number = Annotated[float, Field(ge=0, le=MOST_HOURS, strict=True, allow_inf_nan=False)]
Pieces = Annotated[int, Field(ge=1, le=10_000, strict=True)]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True, frozen=True)


class Week(_Kept):
    """When a crew works, like `07:00-15:00`; `22:00-06:00` goes on into the next day."""

    mon: Shifts = []
    tue: Shifts = []
    wed: Shifts = []
    thu: Shifts = []
    fri: Shifts = []
    sat: Shifts = []
    sun: Shifts = []


class CrewIn(_Kept):
    """With a `site` it works only there. `hours` are those on the wall clock of `time_zone`."""

    key: Name
    site: Name | None = None
    skills: Names = []
    hours: Week
    time_zone: Zone = "UTC"


class WindowIn(_Kept):
    """When `lines`, or all without them, may stand. `loss_share`: of their production lost meanwhile."""

    key: Name
    lines: Names = []
    starts_at: Moment
    ends_at: Moment
    loss_share: float = Field(0.0, ge=0, le=1, strict=True, allow_inf_nan=False)


class LineIn(_Kept):
    """How many machines of a line may be down at once, and whether outside its windows, losing production."""

    line: Name
    most_down: int | None = Field(None, ge=1, le=10_000, strict=True)
    outside_windows: bool | None = Field(None, strict=True, description="Null: only while it has no windows")


class PartIn(_Kept):
    """What is ordered now is there after `lead_time_days`."""

    key: Name
    stock: int = Field(ge=0, le=1_000_000, strict=True)
    lead_time_days: float = Field(ge=0, le=3650, strict=True, allow_inf_nan=False)


class SetupIn(_Kept):
    """A crane, a scaffold: paid once for all services in a window that need it."""

    key: Name
    cost: Money


class ServiceIn(_Kept):
    """What a service of an asset class needs and what its machines cost that have no costs of their own; without a
    class: of all that are not named. `repair_hours`: how long a failure stops production."""

    asset_class: Name | None = None
    hours: float = Field(gt=0, le=MOST_HOURS, strict=True, allow_inf_nan=False)
    skill: Name | None = None
    parts: dict[Name, Pieces] = Field({}, max_length=100)
    setup: Name | None = None
    repair_hours: Number | None = None
    preventive_cost: Money | None = None
    failure_cost: Money | None = None
    downtime_cost_per_hour: Money | None = None


class Resources(_Kept):
    crews: list[CrewIn] = Field([], max_length=MOST)
    windows: list[WindowIn] = Field([], max_length=MOST)
    lines: list[LineIn] = Field([], max_length=MOST)
    parts: list[PartIn] = Field([], max_length=MOST)
    setups: list[SetupIn] = Field([], max_length=MOST)
    services: list[ServiceIn] = Field([], max_length=MOST)

    @property
    def tag(self) -> str:
        """Names this state and no other, as an ETag."""
        return f'"{sha256(self.model_dump_json().encode()).hexdigest()[:32]}"'

    def changed(self, given: Resources) -> Resources:
        """Lists that are named there take the place of these."""
        return self.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

    def ahead(self, now: datetime) -> Resources:
        """Without windows that are over."""
        return self.model_copy(update={"windows": [each for each in self.windows if each.ends_at > now]})
