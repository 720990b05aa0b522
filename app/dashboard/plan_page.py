"""The plan page: proposed services by day, and every machine that has none with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from itertools import groupby

from app.dashboard.context import Day, Frame, LeftOut, PlanPage, ProposedService
from app.planning.tables import Plan


def plan_page(
    frame: Frame, plan: Plan | None, services: Sequence[ProposedService], left_out: Sequence[LeftOut]
) -> PlanPage:
    """`services` in the order of their dates."""
    days = groupby(services, key=lambda service: service.service_by.date())
    return PlanPage(
        frame=frame,
        as_of=plan.as_of if plan else None,
        until=plan.ends_at if plan else None,
        cost=plan.cost if plan else None,
        gap=plan.gap if plan else None,
        notes=_notes(plan) if plan else (),
        days=tuple(Day(datetime.combine(day, time(12), frame.now.tzinfo), tuple(group)) for day, group in days),
        left_out=tuple(left_out),
        cost_now=_total([service.cost_now for service in services]),
        cost_if_waiting=_total([service.cost_if_waiting for service in services]),
    )


def _notes(plan: Plan) -> tuple[str, ...]:
    changed = ["What the plan keeps to was changed; a new one is being made."] if plan.outdated else []
    return (*changed, *plan.objections, *plan.assumptions)


def _total(amounts: Sequence[float | None]) -> float | None:
    """None where one is unknown: a sum that leaves some out would mislead."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known and len(known) == len(amounts) else None
