"""What the plan page is given: a board of one week by crew and day, what has no service, and a what-if."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.dashboard.context import Frame, ProposedService
from app.dashboard.work_context import Typed


@dataclass(frozen=True)
class Placed:
    """Work of the crew `by` on one day; `goes_on` where it began on an earlier one, `one_day` where it ends on it.

    Without an order it is a proposal, which may be put off until one of `mondays`.
    """

    service: ProposedService
    by: str
    state: str
    order_id: int | None = None
    version: int | None = None
    mondays: tuple[datetime, ...] = ()
    goes_on: bool = False
    one_day: bool = True


@dataclass(frozen=True)
class CrewWeek:
    """By day of the week what the crew begins or goes on with."""

    crew: str
    days: tuple[tuple[Placed, ...], ...]


@dataclass(frozen=True)
class Week:
    """Sums are over what is known, None where nothing is: of `unpriced` machines neither cost nor risk are.

    `failures` are those expected before the slots.
    """

    days: tuple[date, ...]
    crews: tuple[CrewWeek, ...]
    services: int
    cost: float | None
    cost_if_waiting: float | None
    failures: float | None
    unpriced: int

    @property
    def first(self) -> date:
        return self.days[0]


@dataclass(frozen=True)
class WeekLink:
    first: date
    services: int


@dataclass(frozen=True)
class LeftOut:
    key: str
    line: str | None
    reason: str
    judged: bool


@dataclass(frozen=True)
class Deferred:
    key: str
    until: datetime
    why: str


@dataclass(frozen=True)
class Slot:
    """Where a plan has a machine; without a crew it has none."""

    start: datetime | None = None
    crew: str | None = None


@dataclass(frozen=True)
class Moved:
    key: str
    before: Slot
    then: Slot
    reason: str


@dataclass(frozen=True)
class WhatIfView:
    """`waiting`: the worker has not answered yet. Otherwise a fault, or both plans in money."""

    number: int
    waiting: bool = False
    fault: str | None = None
    cost: float = 0.0
    cost_then: float = 0.0
    gap: float = 0.0
    services: int = 0
    services_then: int = 0
    objections: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    more: int = 0

    @property
    def saving(self) -> float:
        return self.cost - self.cost_then

    @property
    def sure(self) -> bool:
        """Whether the plans differ by more than what could still be saved in either."""
        return abs(self.saving) > self.gap * max(self.cost, self.cost_then)


@dataclass(frozen=True)
class PlanPage:
    """`gap`: by how much of its cost the plan could be cheaper at most; `notes`: what it assumed and objects to.

    `judged`: whether the risk of any machine that is left out is known.
    """

    frame: Frame
    as_of: datetime | None
    until: datetime | None
    gap: float | None
    notes: tuple[str, ...]
    week: Week
    weeks: tuple[WeekLink, ...]
    left_out: tuple[LeftOut, ...]
    left_out_in_all: int
    judged: bool
    deferred: tuple[Deferred, ...]
    crews: tuple[str, ...]
    windows: tuple[str, ...]
    what_if: WhatIfView | None
    typed: Typed

    @property
    def services(self) -> int:
        return sum(each.services for each in self.weeks)
