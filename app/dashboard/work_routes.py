"""The pages of work orders and their forms: operators look, planners act."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from app.clock import NowDep
from app.dashboard.context import Frame
from app.dashboard.page_route import PageRoute
from app.dashboard.rendering import answer, frame
from app.dashboard.sign_in_routes import FormDep
from app.dashboard.work_context import Typed
from app.dashboard.work_form import read, typed
from app.dashboard.work_page import work_order_page, work_page
from app.database import SessionDep
from app.errors import BadInput, Conflict, NotFound
from app.fleet.failure_modes import FailureModes
from app.fleet.routes import FailureModesDep
from app.orders import actions, feeds, findings
from app.orders.feed_routes import ICS
from app.orders.findings import Moments
from app.orders.routes import MomentsDep
from app.orders.schemas import (
    LARGEST_ID,
    CancelIn,
    CorrectIn,
    DoneIn,
    FeedIn,
    ScheduleIn,
    StartIn,
    StepIn,
    WorkOrderIn,
)
from app.security.policy import Principal, PrincipalDep, Role, allow
from app.settings import SettingsDep
from app.webhooks.actions import send_again

router = APIRouter(include_in_schema=False, route_class=PageRoute)

OPERATOR, PLANNER, ADMIN = [allow(Role.OPERATOR)], [allow(Role.PLANNER)], [allow(Role.ADMIN)]
OrderId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Step = Literal["accept", "schedule", "start", "done", "cancel", "correct"]


def work_frame(settings: SettingsDep, principal: PrincipalDep, now: NowDep) -> Frame:
    return frame(settings, principal, now, "work")


FrameDep = Annotated[Frame, Depends(work_frame)]


@router.get("/work", dependencies=OPERATOR)
def show_work(session: SessionDep, shown: FrameDep) -> Response:
    return answer(work_page(session, shown, Typed()))


@router.post("/work", dependencies=PLANNER)
def order_by_hand(
    session: SessionDep, principal: PrincipalDep, now: NowDep, shown: FrameDep, form: FormDep
) -> Response:
    """Whoever orders by hand has decided: the order is accepted at once."""
    try:
        given = read(WorkOrderIn, form)
        with session.begin_nested():
            actions.order_and_accept(session, principal, given, now)
    except (BadInput, Conflict, NotFound) as error:
        return answer(work_page(session, shown, typed("order", form, error.detail)), error.status)
    return RedirectResponse("/work", 303)


@router.post("/work/planned", dependencies=PLANNER)
def order_from_plan(
    session: SessionDep, principal: PrincipalDep, now: NowDep, shown: FrameDep, form: FormDep
) -> Response:
    try:
        given = WorkOrderIn(**vars(read(WorkOrderIn, form)) | {"from_plan": True})
        with session.begin_nested():
            actions.order_and_accept(session, principal, given, now)
    except (BadInput, Conflict) as error:
        return answer(work_page(session, shown, typed("planned", form, error.detail)), error.status)
    return RedirectResponse("/work", 303)


@router.post("/work/calendars", dependencies=PLANNER)
def make_calendar(session: SessionDep, principal: PrincipalDep, shown: FrameDep, form: FormDep) -> Response:
    """The page itself, not a way to it: the address is shown this once."""
    try:
        given = read(FeedIn, form)
        token = feeds.make_feed(session, principal, given)
    except (BadInput, Conflict) as error:
        return answer(work_page(session, shown, typed("calendar", form, error.detail)), error.status)
    return answer(work_page(session, shown, Typed(), f"{ICS}?token={token}"))


@router.post("/work/calendars/revoke", dependencies=PLANNER)
def revoke_calendar(session: SessionDep, principal: PrincipalDep, form: FormDep) -> Response:
    feeds.revoke_feed(session, principal, form.get("name", ""))
    return RedirectResponse("/work#calendars", 303)


@router.post("/work/webhooks/send-again", dependencies=ADMIN)
def send_webhooks_again(session: SessionDep, principal: PrincipalDep, now: NowDep, form: FormDep) -> Response:
    send_again(session, principal, form.get("name", ""), None, now)
    return RedirectResponse("/work#webhooks", 303)


@router.get("/work/{order_id}", dependencies=OPERATOR)
def show_work_order(session: SessionDep, modes: FailureModesDep, shown: FrameDep, order_id: OrderId) -> Response:
    return answer(work_order_page(session, shown, modes, order_id, Typed()))


@router.post("/work/{order_id}/{step}", dependencies=PLANNER)
def take_step(
    session: SessionDep,
    principal: PrincipalDep,
    modes: FailureModesDep,
    when: MomentsDep,
    shown: FrameDep,
    order_id: OrderId,
    step: Step,
    form: FormDep,
) -> Response:
    """Back to the order, or its form again with what is wrong."""
    try:
        _take(session, principal, order_id, step, form, modes, when)
    except (BadInput, Conflict) as error:
        page = work_order_page(session, shown, modes, order_id, typed(step, form, error.detail))
        return answer(page, error.status)
    return RedirectResponse(f"/work/{order_id}", 303)


def _take(
    session: Session,
    principal: Principal,
    order_id: int,
    step: Step,
    form: dict[str, str],
    modes: FailureModes,
    when: Moments,
) -> None:
    match step:
        case "accept":
            actions.accept(session, principal, order_id, read(StepIn, form), when.now)
        case "schedule":
            actions.schedule(session, principal, order_id, read(ScheduleIn, form), when.now)
        case "start":
            actions.start(session, principal, order_id, read(StartIn, form), when.now, when.latest)
        case "done":
            findings.finish(session, principal, order_id, read(DoneIn, form), modes, when)
        case "cancel":
            actions.cancel(session, principal, order_id, read(CancelIn, form), when.now)
        case "correct":
            findings.correct(session, principal, order_id, read(CorrectIn, form), modes, when)
