"""What the page of the ledger is given; context.py has the other pages."""

from __future__ import annotations

from dataclasses import dataclass

from app.dashboard.context import Frame
from app.outcomes.schemas import OutcomeOut, OutcomeSumsOut, RevisionOut


@dataclass(frozen=True)
class OutcomeFilters:
    outcome: str | None
    model: int | None
    asset_class: str
    machine: str
    page: int
    pages: int
    total: int
    outcomes: tuple[tuple[str, str], ...]
    models: tuple[tuple[int, str | None], ...]
    classes: tuple[str, ...]

    @property
    def active(self) -> bool:
        return bool(self.outcome or self.model or self.asset_class or self.machine)


@dataclass(frozen=True)
class SumRow:
    """Of one model and asset class, or of everything that was asked for."""

    model_id: int | None
    kind: str | None
    asset_class: str | None
    counted: OutcomeSumsOut
    precision: str
    recall: str


@dataclass(frozen=True)
class OutcomeRow:
    """`money`: what it was worth, below nothing what it cost. `revisions` are all of it, the oldest first."""

    outcome: OutcomeOut
    words: str
    reason: str
    money: float
    revisions: tuple[tuple[str, RevisionOut], ...]


@dataclass(frozen=True)
class OutcomesPage:
    """`promised`: what the cards of the newest models in `groups` say, to be held against them."""

    frame: Frame
    filters: OutcomeFilters
    whole: SumRow
    groups: tuple[SumRow, ...]
    promised: tuple[str, ...]
    rows: tuple[OutcomeRow, ...]
    warns_from: float
