"""The plan page: a week of the board, what has no service and why, what was put off, the answer to a what-if."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.dashboard.board import begins_on, monday, placed, week_of, weeks_of
from app.dashboard.context import Frame, ProposedService
from app.dashboard.plan_context import Deferred, LeftOut, Moved, Placed, PlanPage, Slot, WhatIfView
from app.dashboard.work_context import Typed
from app.jobs.tables import WhatIf
from app.jobs.what_if_schemas import Slot as AnsweredSlot
from app.jobs.what_if_schemas import WhatIfAnswer
from app.orders.schemas import WorkOrderOut
from app.planning.resource_schemas import CrewIn
from app.planning.tables import Plan

MOST_MOVED = 50


@dataclass(frozen=True)
class PlanFacts:
    """`services` and the riskiest `left_out` are the newest plan's; `windows` those it uses or could, by name."""

    plan: Plan | None
    services: Sequence[ProposedService]
    left_out: Sequence[LeftOut]
    left_out_in_all: int
    orders: Sequence[WorkOrderOut]
    crews: Sequence[CrewIn]
    windows: Sequence[str]
    deferred: Sequence[Deferred]


def plan_page(
    frame: Frame, facts: PlanFacts, week: date | None, what_if: WhatIfView | None, typed: Typed
) -> PlanPage:
    """`week` is any day of the one that is shown; without one it is the first that has work ahead."""
    zones = {each.key: ZoneInfo(each.time_zone) for each in facts.crews}
    plan, works = facts.plan, placed(facts.services, facts.orders, zones)
    names = [each.key for each in facts.crews]
    until = plan.ends_at if plan and plan.ends_at else frame.now
    first = monday(week or _next_work(works, zones, frame.now))
    return PlanPage(
        frame=frame,
        as_of=plan.as_of if plan else None,
        until=plan.ends_at if plan else None,
        gap=plan.gap if plan else None,
        notes=_notes(plan) if plan else (),
        week=week_of(works, names, zones, first),
        weeks=tuple(weeks_of(works, zones, frame.now.date(), until.date())),
        left_out=tuple(facts.left_out),
        left_out_in_all=facts.left_out_in_all,
        judged=any(each.judged for each in facts.left_out),
        deferred=tuple(facts.deferred),
        crews=tuple(dict.fromkeys([*names, *(each.by for each in works if each.service.crew)])),
        windows=tuple(facts.windows),
        what_if=what_if,
        typed=typed,
    )


def _next_work(works: Sequence[Placed], zones: dict[str, ZoneInfo], now: datetime) -> date:
    ahead = (each for each in works if (each.service.ends_at or each.service.service_by) > now)
    return next((begins_on(each, zones) for each in ahead), now.date())


def _notes(plan: Plan) -> tuple[str, ...]:
    changed = ["What the plan keeps to was changed; a new one is being made."] if plan.outdated else []
    return (*changed, *plan.objections, *plan.assumptions)


def what_if_view(number: int, found: WhatIf | None) -> WhatIfView:
    if found is None:
        return WhatIfView(number, waiting=True)
    if found.answer is None:
        return WhatIfView(number, fault=found.fault)
    said = WhatIfAnswer.model_validate(found.answer)
    return WhatIfView(
        number,
        cost=said.cost,
        cost_then=said.cost_then,
        gap=max(said.gap, said.gap_then),
        services=said.services,
        services_then=said.services_then,
        objections=tuple(said.objections),
        moved=tuple(
            Moved(each.machine, _slot(each.before), _slot(each.then), each.reason)
            for each in said.changes[:MOST_MOVED]
        ),
        more=max(len(said.changes) - MOST_MOVED, 0),
    )


def _slot(said: AnsweredSlot | None) -> Slot:
    return Slot() if said is None else Slot(said.start, said.crew)
