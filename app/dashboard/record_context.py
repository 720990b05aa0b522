"""What the pages of models are given; context.py has the other pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.dashboard.context import Frame


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
class ModelsPage:
    frame: Frame
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
class ModelPage:
    frame: Frame
    model: ModelRow
    facts: tuple[tuple[str, str | datetime], ...]
    horizons: tuple[str, ...]
    figures: tuple[Figure, ...]
    warning_time: tuple[tuple[str, tuple[str, ...]], ...]
    curves: dict[str, object]
    proven: bool
    warnings: tuple[str, ...]
