"""`/api/v1/work-orders`: operators read, planners act."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.clock import NowDep
from app.database import SessionDep
from app.fleet.routes import FailureModesDep, Limit, Offset
from app.orders import actions, findings, store
from app.orders.feed_routes import router as feed_router
from app.orders.findings import Moments
from app.orders.order_filter import FilterDep
from app.orders.schemas import (
    LARGEST_ID,
    CancelIn,
    CorrectIn,
    DoneIn,
    ScheduleIn,
    StartIn,
    StepIn,
    WorkOrderHistoryOut,
    WorkOrderIn,
    WorkOrderOut,
    WorkOrdersOut,
)
from app.orders.store import order_out
from app.security.policy import PrincipalDep, Role, allow
from app.settings import SettingsDep

router = APIRouter(prefix="/api/v1", tags=["work orders"])
router.include_router(feed_router)

OrderId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
PLANNER = [allow(Role.PLANNER)]


def moments(now: NowDep, settings: SettingsDep) -> Moments:
    return Moments(now, now + settings.max_future)


MomentsDep = Annotated[Moments, Depends(moments)]


@router.get("/work-orders", dependencies=[allow(Role.OPERATOR)])
def list_work_orders(
    session: SessionDep, wanted: FilterDep, limit: Limit = 100, offset: Offset = 0
) -> WorkOrdersOut:
    orders, total = store.list_orders(session, wanted, limit, offset)
    return WorkOrdersOut(work_orders=[order_out(each) for each in orders], total=total)


@router.post(
    "/work-orders",
    status_code=201,
    dependencies=PLANNER,
    responses={200: {"model": WorkOrderOut, "description": "The order of this external id is already there"}},
)
def add_work_order(
    session: SessionDep, principal: PrincipalDep, now: NowDep, given: WorkOrderIn, response: Response
) -> WorkOrderOut:
    """A proposed order, by hand or from the plan; 409 where the machine has an open one."""
    ordered, new = actions.add_order(session, principal, given, now)
    response.status_code = 201 if new else 200
    return order_out(ordered)


@router.get("/work-orders/{order_id}", dependencies=[allow(Role.OPERATOR)])
def get_work_order(session: SessionDep, order_id: OrderId) -> WorkOrderHistoryOut:
    return store.history_out(session, store.order_by_id(session, order_id))


@router.post("/work-orders/{order_id}/accept", dependencies=PLANNER)
def accept(
    session: SessionDep, principal: PrincipalDep, now: NowDep, order_id: OrderId, given: StepIn
) -> WorkOrderOut:
    """It will be done; 409 where it was changed since it was read, as for every step."""
    return order_out(actions.accept(session, principal, order_id, given, now))


@router.post("/work-orders/{order_id}/schedule", dependencies=PLANNER)
def schedule(
    session: SessionDep, principal: PrincipalDep, now: NowDep, order_id: OrderId, given: ScheduleIn
) -> WorkOrderOut:
    """From when to when, and by whom; a scheduled order may be scheduled anew."""
    return order_out(actions.schedule(session, principal, order_id, given, now))


@router.post("/work-orders/{order_id}/start", dependencies=PLANNER)
def start(
    session: SessionDep,
    principal: PrincipalDep,
    when: MomentsDep,
    order_id: OrderId,
    given: StartIn,
) -> WorkOrderOut:
    """The work has begun, now or when it is said."""
    return order_out(actions.start(session, principal, order_id, given, when.now, when.latest))


@router.post("/work-orders/{order_id}/cancel", dependencies=PLANNER)
def cancel(
    session: SessionDep, principal: PrincipalDep, now: NowDep, order_id: OrderId, given: CancelIn
) -> WorkOrderOut:
    """It will not be done, and why."""
    return order_out(actions.cancel(session, principal, order_id, given, now))


@router.post("/work-orders/{order_id}/done", dependencies=PLANNER)
def finish(
    session: SessionDep,
    principal: PrincipalDep,
    modes: FailureModesDep,
    when: MomentsDep,
    order_id: OrderId,
    given: DoneIn,
) -> WorkOrderHistoryOut:
    """The work is done, and what was found; the events that training learns from are recorded with it."""
    return store.history_out(session, findings.finish(session, principal, order_id, given, modes, when))


@router.post("/work-orders/{order_id}/correct", dependencies=PLANNER)
def correct(
    session: SessionDep,
    principal: PrincipalDep,
    modes: FailureModesDep,
    when: MomentsDep,
    order_id: OrderId,
    given: CorrectIn,
) -> WorkOrderHistoryOut:
    """Something else was found: the finding before stays readable, its events are withdrawn."""
    return store.history_out(session, findings.correct(session, principal, order_id, given, modes, when))
