"""The page of all models: who serves first, then by age; narrowed by kind and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from app.dashboard.context import Frame
from app.dashboard.model_page import model_row
from app.dashboard.record_context import ModelFilters, ModelsPage
from app.jobs.trainings import FailedTrainings
from app.risk.tables import Model, ModelReport, ModelStatus

MODELS_PER_PAGE = 50
STATUSES: tuple[str, ...] = get_args(ModelStatus)


@dataclass(frozen=True)
class ModelFacts:
    """`models` are one page of the `total` that were asked for; `kinds` all that there are; `report` is the
    champion's newest.
    """

    models: Sequence[Model]
    total: int
    failed: FailedTrainings | None
    kinds: Sequence[str]
    report: ModelReport | None


@dataclass(frozen=True)
class ModelsAsked:
    kind: str = ""
    status: ModelStatus | Literal[""] = ""
    page: int = 1


def models_page(frame: Frame, facts: ModelFacts, asked: ModelsAsked) -> ModelsPage:
    pages = max(1, -(-facts.total // MODELS_PER_PAGE))
    filters = ModelFilters(asked.kind, asked.status, asked.page, pages, facts.total, tuple(facts.kinds), STATUSES)
    report = facts.report
    asks = str(report.body["verdict"]) if report and report.asks_for_training else None
    champion = report.model_id if report else None
    return ModelsPage(frame, filters, facts.failed, asks, champion, tuple(map(model_row, facts.models)))
