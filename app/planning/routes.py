"""`/api/v1/plan`: the newest plan."""

from __future__ import annotations

from fastapi import APIRouter

from app.database import SessionDep
from app.fleet.routes import Limit, Offset
from app.planning import store
from app.planning.schemas import PlanItemOut, PlanOut, PlanTotals
from app.planning.store import Proposed
from app.security.policy import Role, allow
from app.settings import SettingsDep
from app.text import Name

router = APIRouter(prefix="/api/v1", tags=["plan"])

NO_PLAN = "No plan yet: the worker makes one after each scoring."
NOTHING = PlanTotals(services=0, left_out=0, cost_now=0, cost_if_waiting=0, saving=0)


@router.get("/plan", dependencies=[allow(Role.OPERATOR)])
def get_plan(
    session: SessionDep,
    settings: SettingsDep,
    site: Name | None = None,
    line: Name | None = None,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> PlanOut:
    """Proposed services by date, and the machines left out with the reason; both lists are paged alike."""
    plan = store.newest_plan(session)
    if plan is None:
        return PlanOut(
            id=None,
            as_of=None,
            created_at=None,
            reason=NO_PLAN,
            currency=settings.currency,
            totals=NOTHING,
            items=[],
            left_out=[],
        )
    sums = store.totals(session, plan, site, line)
    return PlanOut(
        id=plan.id,
        as_of=plan.as_of,
        created_at=plan.created_at,
        reason=None,
        currency=settings.currency,
        totals=PlanTotals(**sums._asdict(), saving=sums.cost_if_waiting - sums.cost_now),
        items=[_out(each) for each in store.services(session, plan, site, line, limit, offset)],
        left_out=[_out(each) for each in store.left_out(session, plan, site, line, limit, offset)],
    )


def _out(proposed: Proposed) -> PlanItemOut:
    item, machine = proposed
    return PlanItemOut(
        machine=machine.key,
        name=machine.name,
        site=machine.site,
        line=machine.line,
        service_by=item.service_by,
        probability_by_then=item.probability_by_then,
        cost_now=item.cost_now,
        cost_if_waiting=item.cost_if_waiting,
        reason=item.reason,
    )
