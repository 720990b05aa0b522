"""What the pages of models are given; context.py has the other pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from app.dashboard.context import Frame
from app.jobs.trainings import FailedTrainings


@dataclass(frozen=True)
class ModelRow:
    id: int
    kind: str
    status: str
    created_at: datetime
    trained_until: datetime
    promoted_at: datetime | None
    headline: tuple[tuple[str, float | None], ...]
    verdict: str


@dataclass(frozen=True)
class ModelFilters:
    kind: str
    status: str
    page: int
    pages: int
    total: int
    kinds: tuple[str, ...]
    statuses: tuple[str, ...]

    @property
    def active(self) -> bool:
        return bool(self.kind or self.status)


@dataclass(frozen=True)
class ModelsPage:
    """`asks` is the newest report on `champion`, a model's number, where it asks for a training."""

    frame: Frame
    filters: ModelFilters
    failed: FailedTrainings | None
    asks: str | None
    champion: int | None
    models: tuple[ModelRow, ...]


@dataclass(frozen=True)
class FigureRow:
    """One model's figure along the horizons, `best` where it leads; `interval` is the model's own 90 % interval."""

    name: str
    values: tuple[float | None, ...]
    best: tuple[bool, ...]
    interval: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class Figure:
    """One figure of merit for the model, first, and for each baseline."""

    words: str
    rows: tuple[FigureRow, ...]


@dataclass(frozen=True)
class BigFigure:
    value: str
    words: str


@dataclass(frozen=True)
class JudgedHorizon:
    """What the judged time showed at one horizon; `marked` is shown first. `cost` is empty where nobody can say."""

    within: str
    marked: bool
    big: tuple[BigFigure, ...]
    cost: str


@dataclass(frozen=True)
class Window:
    """From when to when, and in words how many machines and failures."""

    begin: datetime
    end: datetime
    machines: str
    failures: str


@dataclass(frozen=True)
class LearntData:
    """`modes` are mode, failures learnt from and the share of the most frequent one; drawings are empty where the
    card does not tell. `gap` is empty where the judged time does not come after.
    """

    learnt: Window
    judged: Window | None
    gap: str
    lanes: Markup
    modes: tuple[tuple[str, int, float], ...]
    months: Markup
    first_month: str
    last_month: str
    most_in_a_month: int


@dataclass(frozen=True)
class ModelPage:
    """`drawn` names the curves that some horizon of the card holds; `data` is None where it tells of none."""

    frame: Frame
    model: ModelRow
    facts: tuple[tuple[str, str | datetime], ...]
    horizons: tuple[JudgedHorizon, ...]
    figures: tuple[Figure, ...]
    warning_time: tuple[tuple[str, tuple[str, ...]], ...]
    curves: dict[str, object]
    drawn: frozenset[str]
    data: LearntData | None
    proven: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """10th, 50th and 90th percentile, and where they lie on a line from 0 to 100."""

    low: str
    middle: str
    high: str
    places: tuple[float, float, float]


@dataclass(frozen=True)
class ValueRow:
    """One value then and now; None where nobody had it. `state` is in words, `moved` marks it."""

    words: str
    unit: str
    then: Span | None
    now: Span | None
    machines: int
    psi: float | None
    moved: bool
    state: str


@dataclass(frozen=True)
class RealisedRow:
    """What came true within one horizon; figures are None, and `state` says why, with too few failures."""

    within: str
    failures: int
    said: float | None
    seen: float | None
    caught: str
    false_alarms: str
    brier: float | None
    promised: float | None
    state: str


@dataclass(frozen=True)
class DriftPage:
    """`verdict` is None where the model was never looked at."""

    frame: Frame
    model: ModelRow
    as_of: datetime | None
    verdict: str | None
    asks: bool
    values: tuple[ValueRow, ...]
    realised: tuple[RealisedRow, ...]
    counted: str
