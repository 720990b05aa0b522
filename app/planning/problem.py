"""What a schedule is asked for: jobs with risk and costs, windows, crews, lines, parts and set-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from app.planning.machine_costs import MachineCosts
from app.risk.curve import Curve

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Span:
    """From `start` until before `end`."""

    start: datetime
    end: datetime

    def shared_minutes(self, other: Span) -> int:
        return max((min(self.end, other.end) - max(self.start, other.start)) // MINUTE, 0)

    def within(self, other: Span) -> bool:
        return other.start <= self.start and self.end <= other.end

    def without(self, other: Span) -> tuple[Span, ...]:
        """What of it lies before and behind the other."""
        before, behind = Span(self.start, min(self.end, other.start)), Span(max(self.start, other.end), self.end)
        return tuple(each for each in (before, behind) if each.start < each.end)


@dataclass(frozen=True)
class Window:
    """When machines of its lines may be down. `loss_share`: of the production a machine would make meanwhile,
    0 in a planned stop. Without `lines` it is open to all. One with an `owner` is the time agreed on for
    work on that machine, which is pinned to it: open to no other, and its crew does nothing else meanwhile."""

    key: str
    span: Span
    lines: frozenset[str | None] | None = None
    loss_share: float = 1.0
    owner: str | None = None

    def opens(self, line: str | None) -> bool:
        return self.owner is None and (self.lines is None or line in self.lines)


@dataclass(frozen=True)
class Crew:
    """Works on one machine at a time, within its shifts; with a `site` only there."""

    key: str
    skills: frozenset[str]
    shifts: tuple[Span, ...]
    site: str | None = None

    def can(self, job: Job) -> bool:
        return self.site in (None, job.site) and (job.skill is None or job.skill in self.skills)

    def minutes(self, span: Span) -> int:
        return sum(shift.shared_minutes(span) for shift in self.shifts)

    def busy(self, span: Span) -> Crew:
        """The same without its hours then."""
        return replace(self, shifts=tuple(rest for shift in self.shifts for rest in shift.without(span)))


@dataclass(frozen=True)
class Line:
    """`most_down` machines of it may be in work in windows that overlap."""

    key: str
    most_down: int


@dataclass(frozen=True)
class Part:
    """What is ordered now is there after `lead_time`, as much as is wanted."""

    key: str
    stock: int
    lead_time: timedelta


@dataclass(frozen=True)
class Setup:
    """A crane, a scaffold, a cleaned line: paid once for all jobs in a window that need it."""

    key: str
    cost: float


@dataclass(frozen=True)
class Deferral:
    """No service before `until`, as somebody wanted it."""

    until: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Job:
    """The service of one machine. Without a `curve` it is not planned, for the reason that `unknown` names.

    `curve` starts at `curve_from`; `minutes` is the work of one crew; `proposed_window` is the last plan's. One
    that is `barred`, for the reason it names, keeps its risk and gets no service.
    """

    machine: str
    line: str | None
    minutes: int
    costs: MachineCosts
    curve: Curve | None
    curve_from: datetime
    unknown: str = "no risk is known"
    skill: str | None = None
    parts: Mapping[str, int] = field(default_factory=dict)
    setup: str | None = None
    proposed_window: str | None = None
    site: str | None = None
    barred: str = ""
    deferral: Deferral | None = None


@dataclass(frozen=True)
class Pin:
    """Accepted work, which stays where it is; without a crew the one with most room is taken. Whatever it
    contradicts, nobody objects to what was `begun`."""

    machine: str
    window: str
    crew: str | None = None
    begun: bool = False


@dataclass(frozen=True)
class Problem:
    """A plan from `now` `until`; `moving_cost` is the price of another window than the last plan's, `zone` that of
    the clock that words go by."""

    now: datetime
    until: datetime
    jobs: tuple[Job, ...]
    windows: tuple[Window, ...]
    crews: tuple[Crew, ...]
    lines: tuple[Line, ...] = ()
    parts: tuple[Part, ...] = ()
    setups: tuple[Setup, ...] = ()
    pins: tuple[Pin, ...] = ()
    moving_cost: float = 0.0
    currency: str = "€"
    zone: tzinfo = UTC
