"""The plan page and its forms: operators look, planners accept, put off, place and ask."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from app.clock import NowDep
from app.dashboard import loading
from app.dashboard.context import Frame
from app.dashboard.page_route import PageRoute
from app.dashboard.plan_context import PlanPage
from app.dashboard.plan_form import PinForm, pin_of, question_of, week_of_form
from app.dashboard.plan_page import plan_page, what_if_view
from app.dashboard.rendering import answer, frame
from app.dashboard.sign_in_routes import FormDep
from app.dashboard.typed_form import read_form
from app.dashboard.work_context import Typed
from app.dashboard.work_form import typed
from app.database import BindDep, SessionDep
from app.errors import BadInput, Conflict, NotFound, TooBusy
from app.jobs.what_ifs import answer_of, ask_what_if
from app.orders import actions
from app.orders.schemas import ScheduleIn, WorkOrderIn
from app.planning.deferring import defer, lift
from app.planning.schemas import DeferIn
from app.security.policy import Principal, PrincipalDep, Role, allow
from app.settings import SettingsDep

router = APIRouter(include_in_schema=False, route_class=PageRoute)

OPERATOR, PLANNER = [allow(Role.OPERATOR)], [allow(Role.PLANNER)]
WHY_PINNED = "Placed on the plan's board."

Week = Annotated[str, Query(max_length=20)]
Number = Annotated[int, Query(ge=1, le=2**63 - 1)]


def plan_frame(settings: SettingsDep, principal: PrincipalDep, now: NowDep) -> Frame:
    return frame(settings, principal, now, "plan")


FrameDep = Annotated[Frame, Depends(plan_frame)]


@router.get("/plan", dependencies=OPERATOR)
def show_plan(session: SessionDep, shown: FrameDep, week: Week = "", what_if: Number | None = None) -> Response:
    return answer(_page(session, shown, week, Typed(), what_if if shown.may_plan else None))


def _page(session: Session, shown: Frame, week: str, typed_in: Typed, number: int | None = None) -> PlanPage:
    asked = None if number is None else what_if_view(number, answer_of(session, number))
    return plan_page(shown, loading.plan_page_facts(session, shown.now), week_of_form(week), asked, typed_in)


@router.post("/plan/accept", dependencies=PLANNER)
def accept(session: SessionDep, principal: PrincipalDep, now: NowDep, shown: FrameDep, form: FormDep) -> Response:
    """The proposal becomes an accepted order: later plans keep to its hours."""
    try:
        given = read_form(WorkOrderIn, form, {}, ())
        with session.begin_nested():
            actions.order_and_accept(session, principal, given.model_copy(update={"from_plan": True}), now)
    except (BadInput, Conflict, NotFound) as error:
        return _again(session, shown, "accept", form, error)
    return _back(form)


@router.post("/plan/defer", dependencies=PLANNER)
def put_off(session: SessionDep, principal: PrincipalDep, now: NowDep, shown: FrameDep, form: FormDep) -> Response:
    try:
        defer(session, principal, read_form(DeferIn, form, {}, ()), now)
    except (BadInput, NotFound) as error:
        return _again(session, shown, "defer", form, error)
    return _back(form)


@router.post("/plan/lift", dependencies=PLANNER)
def lift_deferral(session: SessionDep, principal: PrincipalDep, now: NowDep, form: FormDep) -> Response:
    lift(session, principal, form.get("machine", ""), now)
    return _back(form)


@router.post("/plan/pin", dependencies=PLANNER)
def pin(session: SessionDep, principal: PrincipalDep, now: NowDep, shown: FrameDep, form: FormDep) -> Response:
    """Work where the planner wants it, whatever the plan proposes."""
    try:
        given = pin_of(form)
        with session.begin_nested():
            _place(session, principal, given, now)
    except (BadInput, Conflict, NotFound) as error:
        return _again(session, shown, "pin", form, error)
    return RedirectResponse(f"/plan?week={given.start.date()}", 303)


def _place(session: Session, principal: Principal, given: PinForm, now: NowDep) -> None:
    order = WorkOrderIn(machine=given.machine, why=given.why or WHY_PINNED)
    made = actions.order_and_accept(session, principal, order, now).order
    slot = ScheduleIn(version=made.version, start=given.start, end=given.end, crew=given.crew)
    actions.schedule(session, principal, made.id, slot, now)


@router.post("/plan/what-if", dependencies=PLANNER)
def ask(session: SessionDep, bind: BindDep, now: NowDep, shown: FrameDep, form: FormDep) -> Response:
    try:
        question = question_of(form, loading.planned_crews(session))
        number = ask_what_if(session, bind, question, now)
    except (BadInput, TooBusy) as error:
        return _again(session, shown, "what-if", form, error)
    return RedirectResponse(f"{_address(form)}&what_if={number}#what-if", 303)


def _again(
    session: Session, shown: Frame, name: str, form: dict[str, str], error: BadInput | Conflict | NotFound | TooBusy
) -> Response:
    page = _page(session, shown, form.get("week", ""), typed(name, form, error.detail))
    return answer(page, error.status)


def _back(form: dict[str, str]) -> Response:
    return RedirectResponse(_address(form), 303)


def _address(form: dict[str, str]) -> str:
    return f"/plan?week={week_of_form(form.get('week', '')) or ''}"
