"""Puts a page's context into its template: everything is escaped, and what is missing is an error."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.dashboard import words
from app.dashboard.assets import asset_address, plotly_address, plotly_style_ids
from app.dashboard.charts import share_bar
from app.dashboard.context import (
    Filters,
    FleetPage,
    Frame,
    MachinePage,
    ProblemPage,
    SignInPage,
)
from app.dashboard.data_context import DataPage
from app.dashboard.outcome_context import OutcomeFilters, OutcomesPage
from app.dashboard.plan_context import PlanPage
from app.dashboard.record_context import DriftPage, ModelFilters, ModelPage, ModelsPage
from app.dashboard.store import COUNTED_UP_TO
from app.dashboard.work_context import WorkOrderPage, WorkPage
from app.orders.finding_rule import OUTCOME_WORDS
from app.orders.states import words as state_words
from app.security.principal import Principal, Role
from app.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
BY_CONTEXT: dict[type, str] = {
    SignInPage: "sign_in.html",
    ProblemPage: "problem.html",
    FleetPage: "fleet.html",
    MachinePage: "machine.html",
    PlanPage: "plan.html",
    ModelsPage: "models.html",
    ModelPage: "model.html",
    DriftPage: "drift.html",
    DataPage: "data.html",
    OutcomesPage: "outcomes.html",
    WorkPage: "work.html",
    WorkOrderPage: "work_order.html",
}
Page = (
    SignInPage
    | ProblemPage
    | FleetPage
    | MachinePage
    | PlanPage
    | ModelsPage
    | ModelPage
    | DriftPage
    | DataPage
    | OutcomesPage
    | WorkPage
    | WorkOrderPage
)
# What encodeURIComponent leaves as it is, so that scripts and pages write the same addresses.
PLAIN_IN_ADDRESSES = "!'()*"


@lru_cache(maxsize=1)
def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        asset=asset_address,
        path=path_part,
        turn=turn,
        turn_models=turn_models,
        turn_outcomes=turn_outcomes,
        words=counted_word,
        words_up_to=up_to_a_limit,
        kind=words.model_kind,
        lasted=lasted,
        bar=share_bar,
        percent=words.percent,
        points=words.points,
        number=words.number,
        figure=words.figure,
        money=words.money,
        duration=words.duration,
        status=words.status,
        event_kind=words.event_kind,
        order_state=state_words,
        outcome=OUTCOME_WORDS.__getitem__,
        utc=words.utc,
        day=words.day,
    )
    env.globals.update(plotly_address=plotly_address, plotly_style_ids=plotly_style_ids)
    return env


def html(page: Page) -> str:
    return environment().get_template(BY_CONTEXT[type(page)]).render(page=page)


def answer(page: Page, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html(page), status)


def frame(settings: Settings, principal: Principal | None, now: datetime, place: str) -> Frame:
    plain = Frame(plant=settings.plant, currency=settings.currency, now=now, place=place)
    if principal is None:
        return plain
    administers = principal.csrf_token is not None and principal.has_any(frozenset({Role.ADMIN}))
    return Frame(
        plant=settings.plant,
        currency=settings.currency,
        now=now,
        place=place,
        person=principal.name,
        role=str(principal.role),
        csrf_token=principal.csrf_token or "",
        may_record=principal.csrf_token is not None,
        may_plan=principal.csrf_token is not None and principal.has_any(frozenset({Role.PLANNER})),
        may_promote=administers,
        may_administer=administers,
    )


def path_part(text: str) -> str:
    return quote(text, safe=PLAIN_IN_ADDRESSES)


def turn(filters: Filters, page: int) -> str:
    """The address of another page of the same table."""
    asked = {"site": filters.site, "line": filters.line, "q": filters.search, "page": page}
    return "/?" + urlencode({name: value for name, value in asked.items() if value})


def turn_models(filters: ModelFilters, page: int) -> str:
    asked = {"kind": filters.kind, "status": filters.status, "page": page}
    return "/models?" + urlencode({name: value for name, value in asked.items() if value})


def turn_outcomes(filters: OutcomeFilters, page: int) -> str:
    narrowed = {name: getattr(filters, name) for name in ("outcome", "model", "asset_class", "machine")}
    asked = narrowed | {"page": page}
    return "/outcomes?" + urlencode({name: value for name, value in asked.items() if value})


def counted_word(count: int, one: str, with_count: bool = False) -> str:
    many = words.counted(count, one)
    return many if with_count else many.split(" ", 1)[1]


def up_to_a_limit(count: int, one: str) -> str:
    return words.counted(count, one) + (" or more" if count >= COUNTED_UP_TO else "")


def lasted(began: datetime, ended: datetime) -> str:
    return words.duration((ended - began).total_seconds() / 3600)
