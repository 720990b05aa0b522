"""The pages. Each loads its facts, makes one context and renders it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import Field

from app.clock import NowDep
from app.dashboard import assets, loading, plan_routes, sign_in_routes, stream, work_routes
from app.dashboard.context import EventForm
from app.dashboard.data_page import data_page
from app.dashboard.drift_page import drift_page
from app.dashboard.event_form import event_of, typed
from app.dashboard.fleet_page import Asked, fleet_page
from app.dashboard.machine_page import machine_page
from app.dashboard.model_curves import Costs
from app.dashboard.model_page import model_page
from app.dashboard.models_page import ModelsAsked, models_page
from app.dashboard.outcomes_page import OutcomesAsked, outcomes_page
from app.dashboard.page_route import PageRoute
from app.dashboard.rendering import answer, frame, path_part
from app.dashboard.sign_in_routes import FormDep
from app.database import SessionDep
from app.errors import BadInput, Conflict
from app.fleet.actions import record_event
from app.fleet.routes import FailureModesDep
from app.outcomes.judging import Outcome
from app.risk import actions as risk_actions
from app.risk import model_store
from app.risk.tables import ModelStatus
from app.security.policy import PrincipalDep, Role, allow
from app.settings import SettingsDep
from app.text import LONGEST_NAME, Name

router = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, route_class=PageRoute, dependencies=[allow(Role.OPERATOR)])

Choice = Annotated[str, Query(max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]
Page = Annotated[int, Query(ge=1, le=100_000)]
ModelNumber = Annotated[int, Field(ge=1, le=model_store.LARGEST_ID)]
Sender = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Path(max_length=LONGEST_NAME, pattern=r"^[^\x00]+$")]


@pages.get("/")
def show_fleet(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    now: NowDep,
    site: Choice = "",
    line: Choice = "",
    q: Choice = "",
    page: Page = 1,
) -> Response:
    asked = Asked(site, line, q.strip(), page)
    facts = loading.fleet_facts(session, settings, now, asked)
    return answer(fleet_page(frame(settings, principal, now, "fleet"), facts, asked))


@pages.get("/machines/{key}")
def show_machine(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    modes: FailureModesDep,
    now: NowDep,
    key: Key,
) -> Response:
    facts = loading.machine_facts(session, settings, modes, now, key)
    return answer(machine_page(frame(settings, principal, now, "machine"), facts, EventForm()))


@pages.post("/machines/{key}/events")
def add_event(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    modes: FailureModesDep,
    now: NowDep,
    key: Key,
    form: FormDep,
) -> Response:
    """Back to the machine, or the form again with what is wrong."""
    try:
        record_event(session, principal, key, event_of(form), modes, now + settings.max_future)
    except (BadInput, Conflict) as error:
        facts = loading.machine_facts(session, settings, modes, now, key)
        page = machine_page(frame(settings, principal, now, "machine"), facts, typed(form, error.detail))
        return answer(page, error.status)
    return RedirectResponse(f"/machines/{path_part(key)}#events", 303)


@pages.get("/models")
def show_models(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    now: NowDep,
    kind: Name | Literal[""] = "",
    status: ModelStatus | Literal[""] = "",
    page: Page = 1,
) -> Response:
    asked = ModelsAsked(kind, status, page)
    facts = loading.model_facts(session, asked)
    return answer(models_page(frame(settings, principal, now, "models"), facts, asked))


@pages.get("/outcomes")
def show_outcomes(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    now: NowDep,
    outcome: Outcome | Literal[""] = "",
    model: ModelNumber | Literal[""] = "",
    asset_class: Name | Literal[""] = "",
    machine: Name | Literal[""] = "",
    page: Page = 1,
) -> Response:
    asked = OutcomesAsked(outcome or None, model or None, asset_class or None, machine or None, page)
    shown = frame(settings, principal, now, "models")
    return answer(outcomes_page(session, shown, asked, settings.warn_probability))


@pages.get("/models/{model_id}")
def show_model(
    session: SessionDep, settings: SettingsDep, principal: PrincipalDep, now: NowDep, model_id: int
) -> Response:
    model = model_store.model_by_id(session, model_id)
    costs = Costs(settings.failure_cost, settings.preventive_cost, settings.currency, settings.warn_probability)
    return answer(model_page(frame(settings, principal, now, "models"), model, costs))


@pages.get("/models/{model_id}/drift")
def show_drift(
    session: SessionDep, settings: SettingsDep, principal: PrincipalDep, now: NowDep, model_id: int
) -> Response:
    model = model_store.model_by_id(session, model_id)
    report = model_store.newest_report(session, model.id)
    return answer(drift_page(frame(settings, principal, now, "models"), model, report))


@pages.post("/models/{model_id}/promote", dependencies=[allow(Role.ADMIN)])
def promote(session: SessionDep, principal: PrincipalDep, now: NowDep, model_id: int, form: FormDep) -> Response:
    risk_actions.promote(session, principal, model_id, now, unproven=form.get("unproven") == "yes")
    return RedirectResponse(f"/models/{model_id}", 303)


@pages.get("/data")
def show_data(
    session: SessionDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    now: NowDep,
    sender: Sender = "",
    machine: Choice = "",
) -> Response:
    facts = loading.data_facts(session, settings, now, sender, machine)
    shown = frame(settings, principal, now, "data")
    return answer(data_page(shown, sender, machine, facts, loading.COUNTED_FOR, settings.silent_after))


for part in (assets.router, sign_in_routes.router, pages, plan_routes.router, work_routes.router, stream.router):
    router.include_router(part)
