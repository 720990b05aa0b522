"""What each page is given: one frozen dataclass a page, complete before a template sees it.

The pages of models have theirs in record_context, the data page in data_context.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup


@dataclass(frozen=True)
class Frame:
    """What surrounds every page."""

    plant: str
    currency: str
    now: datetime
    place: str
    person: str | None = None
    role: str | None = None
    csrf_token: str = ""
    may_record: bool = False
    may_plan: bool = False
    may_promote: bool = False
    may_administer: bool = False


@dataclass(frozen=True)
class SignInPage:
    frame: Frame
    next: str
    name: str = ""
    wrong: str | None = None


@dataclass(frozen=True)
class ProblemPage:
    frame: Frame
    status: int
    title: str
    detail: str


@dataclass(frozen=True)
class Tile:
    key: str
    status: str
    words: str
    spark: Markup


@dataclass(frozen=True)
class LineOfTiles:
    name: str
    tiles: tuple[Tile, ...]
    abnormal: int


@dataclass(frozen=True)
class RankedRow:
    key: str
    name: str | None
    line: str | None
    status: str
    probability: float | None
    since_yesterday: float | None
    expected_loss: float | None
    life: Markup
    life_words: str
    why: str
    service_by: datetime | None


@dataclass(frozen=True)
class SilentMachine:
    key: str
    line: str | None
    last_reading_at: datetime | None
    silent_for: str


@dataclass(frozen=True)
class Change:
    key: str
    status: str
    words: str
    at: datetime | None


@dataclass(frozen=True)
class Kpis:
    machines: int
    scored: int
    warnings: int
    warn_probability: float
    new_since_yesterday: tuple[str, ...]
    silent: int
    unscored: int
    expected_loss: float | None
    proposed: int
    next_service: tuple[str, datetime] | None


@dataclass(frozen=True)
class Filters:
    site: str
    line: str
    search: str
    page: int
    pages: int
    shown: int
    total: int
    sites: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def active(self) -> bool:
        return bool(self.site or self.line or self.search)


@dataclass(frozen=True)
class FleetPage:
    frame: Frame
    filters: Filters
    kpis: Kpis
    lines: tuple[LineOfTiles, ...]
    compact: bool
    rows: tuple[RankedRow, ...]
    life_scale: str
    changes: tuple[Change, ...]
    silent: tuple[SilentMachine, ...]
    horizon: str
    model: str | None
    as_of: datetime | None


@dataclass(frozen=True)
class PastFailure:
    """`until` is a little after it, as the machine page's address takes it."""

    machine: str
    until: str


@dataclass(frozen=True)
class Reason:
    words: str
    share: float | None
    bar: Markup
    like: PastFailure | None


@dataclass(frozen=True)
class ModeShare:
    name: str
    share: float
    bar: Markup


@dataclass(frozen=True)
class RiskView:
    """What a model said of one machine; where that is not `usable` now, `not_enough_data` says why.

    `unjudged`: horizons at which no failure was there to hold the model's risks against.
    """

    as_of: datetime
    usable: bool
    model: str
    model_id: int
    coverage: float
    by_horizon: tuple[tuple[str, float, float | None, float | None], ...]
    unjudged: tuple[str, ...]
    life_low_hours: float | None
    life_median_hours: float | None
    life_high_hours: float | None
    modes: tuple[ModeShare, ...]
    reasons: tuple[Reason, ...]
    anomaly_score: float | None
    not_enough_data: str | None


@dataclass(frozen=True)
class EventView:
    kind: str
    code: str | None
    component: str | None
    started_at: datetime
    ended_at: datetime | None
    note: str | None


@dataclass(frozen=True)
class FlagRow:
    """A doubt about stored readings, in words."""

    machine: str
    channel: str
    what: str
    at: datetime
    n: int


@dataclass(frozen=True)
class ProposedService:
    key: str
    name: str | None
    line: str | None
    service_by: datetime
    ends_at: datetime | None
    crew: str | None
    probability_by_then: float | None
    cost_now: float | None
    cost_if_waiting: float | None
    reason: str


@dataclass(frozen=True)
class EventForm:
    """The form as it was sent, so that a refused one loses nothing."""

    kind: str = "service"
    code: str = ""
    component: str = ""
    started_at: str = ""
    ended_at: str = ""
    note: str = ""
    wrong: str | None = None


@dataclass(frozen=True)
class MachinePage:
    frame: Frame
    key: str
    name: str | None
    status: str
    facts: tuple[str, ...]
    configured: bool
    decommissioned_at: datetime | None
    last_reading_at: datetime | None
    risk: RiskView | None
    proposed: ProposedService | None
    events: tuple[EventView, ...]
    doubts: tuple[FlagRow, ...]
    modes: tuple[tuple[str, str], ...]
    form: EventForm
    chart: dict[str, object]
    footnote: str
