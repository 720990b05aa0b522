"""`/api/v1/risk` and each machine's risk: what the champion predicted, and what it means now."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.clock import NowDep
from app.database import SessionDep
from app.duration import parse_duration
from app.errors import BadInput
from app.fleet.routes import Key, Limit, Offset
from app.fleet.store import machine_by_key
from app.moment import EARLIEST, LATEST, Moment
from app.risk import store
from app.risk.assess import STATUS_HORIZON_HOURS, Status
from app.risk.curve import hours_text
from app.risk.history_store import history
from app.risk.model_routes import router as model_router
from app.risk.ranking_store import ranked_fleet
from app.risk.reading_risk import ranked_machine, ranking_question, risk_out
from app.risk.schemas import HistoryOut, HistoryPoint, RankingOut, RiskOut
from app.security.policy import Role, allow
from app.settings import SettingsDep
from app.text import Name

router = APIRouter(prefix="/api/v1", tags=["risk"])
router.include_router(model_router)

Horizon = Annotated[
    str | None, Query(max_length=40, description="Like 24h; 7d, or the model's longest if shorter, without it")
]
Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]


def horizon_hours(session: SessionDep, horizon: str | None) -> float:
    """Raises BadInput where it is no duration or further ahead than the serving model looks."""
    model = store.champion(session)
    longest = model.horizons_hours[-1] if model else math.inf
    if horizon is None:
        return min(STATUS_HORIZON_HOURS, longest)
    hours = parse_duration(horizon).total_seconds() / 3600
    if hours > longest:
        raise BadInput(f"horizon: {horizon} is further than the model looks, which is {hours_text(longest)}.")
    return hours


@router.get("/machines/{key}/risk", dependencies=[allow(Role.OPERATOR)])
def get_risk(session: SessionDep, settings: SettingsDep, now: NowDep, key: Key) -> RiskOut:
    """One machine's risk; without a usable prediction a status that says so, with the reason."""
    return risk_out(store.watched(session, key), settings, now)


@router.get("/machines/{key}/risk/history", dependencies=[allow(Role.OPERATOR)])
def get_history(
    session: SessionDep,
    key: Key,
    horizon: Horizon = None,
    since: Annotated[Moment, Query(alias="from")] = EARLIEST,
    until: Annotated[Moment | None, Query(alias="to")] = None,
) -> HistoryOut:
    """What was said over time, at most 2,000 points: of each stretch the highest."""
    machine, hours = machine_by_key(session, key), horizon_hours(session, horizon)
    rows = history(session, machine.id, hours, since, _end(since, until))
    points = [HistoryPoint.model_validate(dict(row)) for row in rows]
    return HistoryOut(machine=machine.key, horizon=hours_text(hours), horizon_hours=hours, points=points)


def _end(since: datetime, until: datetime | None) -> datetime:
    if until is not None and until <= since:
        raise BadInput("to: must lie after from.")
    return until or LATEST


@router.get("/risk", dependencies=[allow(Role.OPERATOR)])
def get_ranking(
    session: SessionDep,
    settings: SettingsDep,
    now: NowDep,
    horizon: Horizon = None,
    min_probability: Share = None,
    site: Name | None = None,
    line: Name | None = None,
    q: Annotated[Name | None, Query(description="Part of the key or the name")] = None,
    status: Status | None = None,
    order: Literal["expected_loss", "probability"] = "expected_loss",
    limit: Limit = 50,
    offset: Offset = 0,
) -> RankingOut:
    """The fleet ranked by risk. Machines without a usable prediction come last, with the reason."""
    hours = horizon_hours(session, horizon)
    given = ranking_question(
        settings,
        now,
        hours,
        limit=limit,
        offset=offset,
        site=site,
        line=line,
        q=q,
        status=status and status.value,
        min_probability=min_probability,
    )
    total, rows = ranked_fleet(session, order, given)
    return RankingOut(
        horizon=hours_text(hours),
        horizon_hours=hours,
        order=order,
        currency=settings.currency,
        total=total,
        machines=[ranked_machine(row, settings, now) for row in rows],
    )
