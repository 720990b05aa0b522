"""The plan page: proposed services by day, and every machine that has none with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from itertools import groupby

from app.dashboard.context import Day, Frame, LeftOut, PlanPage, ProposedService


def plan_page(
    frame: Frame, as_of: datetime | None, services: Sequence[ProposedService], left_out: Sequence[LeftOut]
) -> PlanPage:
    """`services` in the order of their dates."""
    days = groupby(services, key=lambda service: service.service_by.date())
    return PlanPage(
        frame=frame,
        as_of=as_of,
        days=tuple(Day(datetime.combine(day, time(12), frame.now.tzinfo), tuple(group)) for day, group in days),
        left_out=tuple(left_out),
        cost_now=_total([service.cost_now for service in services]),
        cost_if_waiting=_total([service.cost_if_waiting for service in services]),
    )


def _total(amounts: Sequence[float | None]) -> float | None:
    """None where one is unknown: a sum that leaves some out would mislead."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known and len(known) == len(amounts) else None
