"""What the pages of work orders are given; context.py has the other pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.dashboard.context import Frame, ProposedService
from app.fleet.schemas import ComponentOut, FailureModeOut
from app.orders.schemas import FeedOut, WorkOrderHistoryOut, WorkOrderOut
from app.webhooks.schemas import WebhookOut


@dataclass(frozen=True)
class Typed:
    """A form as it was sent to `form`, so that a refused one loses nothing."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    wrong: str | None = None


@dataclass(frozen=True)
class OrdersOfState:
    words: str
    orders: tuple[WorkOrderOut, ...]


@dataclass(frozen=True)
class WorkPage:
    """`more` open orders are not shown; `address` is of a calendar made just now, and shown this once."""

    frame: Frame
    proposed: tuple[ProposedService, ...]
    states: tuple[OrdersOfState, ...]
    more: int
    closed: tuple[WorkOrderOut, ...]
    calendars: tuple[FeedOut, ...]
    address: str | None
    webhooks: tuple[WebhookOut, ...]
    typed: Typed

    @property
    def open(self) -> int:
        return sum(len(group.orders) for group in self.states) + self.more


@dataclass(frozen=True)
class WorkOrderPage:
    """`steps` are those that may be taken now, the likeliest first."""

    frame: Frame
    order: WorkOrderHistoryOut
    steps: tuple[str, ...]
    outcomes: tuple[tuple[str, str], ...]
    modes: tuple[FailureModeOut, ...]
    components: tuple[tuple[str, tuple[ComponentOut, ...]], ...]
    typed: Typed
