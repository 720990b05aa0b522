"""`/api/v1/plan`: the newest plan, and what plans have to keep to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from app.clock import NowDep
from app.database import SessionDep
from app.fleet.machine_key import MachineKey
from app.fleet.routes import Limit, Offset
from app.planning import deferring, resource_store, resources, store
from app.planning.resource_schemas import Resources
from app.planning.schemas import DeferIn, DeferralOut, DeferralsOut, PlanItemOut, PlanOut, PlanTotals
from app.planning.store import Deferred, Proposed, Totals
from app.security.policy import PrincipalDep, Role, allow
from app.settings import SettingsDep
from app.text import Name

router = APIRouter(prefix="/api/v1", tags=["plan"])

NO_PLAN = "No plan yet: the worker makes one after each scoring."
NOTHING = PlanTotals(services=0, unpriced=0, left_out=0, cost_now=None, cost_if_waiting=None, saving=None)


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
            until=None,
            cost=None,
            bound=None,
            gap=None,
            outdated=False,
            assumptions=[],
            objections=[],
            totals=NOTHING,
            items=[],
            left_out=[],
        )
    return PlanOut(
        id=plan.id,
        as_of=plan.as_of,
        created_at=plan.created_at,
        reason=None,
        currency=settings.currency,
        until=plan.ends_at,
        cost=plan.cost,
        bound=plan.bound,
        gap=plan.gap,
        outdated=plan.outdated,
        assumptions=plan.assumptions,
        objections=plan.objections,
        totals=_totals_out(store.totals(session, plan, site, line)),
        items=[_out(each) for each in store.services(session, plan, site, line, limit, offset)],
        left_out=[_out(each) for each in store.left_out(session, plan, site, line, limit, offset)],
    )


@router.get("/plan/resources", dependencies=[allow(Role.OPERATOR)])
def get_resources(session: SessionDep, now: NowDep, response: Response) -> Resources:
    """What plans keep to; windows that are over are not listed. The ETag names this state."""
    stored = resource_store.resources(session)
    response.headers["ETag"] = stored.tag
    return stored.ahead(now)


@router.patch("/plan/resources", dependencies=[allow(Role.PLANNER)])
def change_resources(
    session: SessionDep,
    principal: PrincipalDep,
    now: NowDep,
    given: Resources,
    if_match: Annotated[str | None, Header(max_length=100)] = None,
) -> Resources:
    """Each list that is named takes the place of the stored one; others stay. The worker then plans anew.

    With the ETag of what was read as If-Match: 409 where somebody else changed it meanwhile.
    """
    return resources.change_resources(session, principal, given, if_match, now)


@router.get("/plan/deferrals", dependencies=[allow(Role.OPERATOR)])
def list_deferrals(session: SessionDep, now: NowDep) -> DeferralsOut:
    """Those in force, the first to end first."""
    return DeferralsOut(deferrals=[_deferral_out(each) for each in store.deferred(session, now)])


@router.post("/plan/deferrals", status_code=201, dependencies=[allow(Role.PLANNER)])
def defer(session: SessionDep, principal: PrincipalDep, now: NowDep, given: DeferIn) -> DeferralOut:
    """No service of this machine before then, unless a work order says otherwise; the worker then plans anew."""
    return _deferral_out(deferring.defer(session, principal, given, now))


@router.delete("/plan/deferrals/{machine}", status_code=204, dependencies=[allow(Role.PLANNER)])
def lift_deferral(session: SessionDep, principal: PrincipalDep, now: NowDep, machine: MachineKey) -> None:
    """Its services may be planned again at once; 404 where nothing is deferred."""
    deferring.lift(session, principal, machine, now)


def _deferral_out(deferred: Deferred) -> DeferralOut:
    deferral = deferred.deferral
    return DeferralOut(
        machine=deferred.machine.key, until=deferral.until, why=deferral.why, actor=deferral.actor, at=deferral.at
    )


def _totals_out(sums: Totals) -> PlanTotals:
    now, waiting = sums.cost_now, sums.cost_if_waiting
    return PlanTotals(**sums._asdict(), saving=None if now is None or waiting is None else waiting - now)


def _out(proposed: Proposed) -> PlanItemOut:
    item, machine = proposed
    return PlanItemOut(
        machine=machine.key,
        name=machine.name,
        site=machine.site,
        line=machine.line,
        service_by=item.service_by,
        start=item.service_by,
        end=item.ends_at,
        crew=item.crew,
        window=item.planned_window,
        probability_by_then=item.probability_by_then,
        cost_now=item.cost_now,
        cost_if_waiting=item.cost_if_waiting,
        reason=item.reason,
    )
