"""Readings over HTTP: `POST /readings`, charts, and the ledgers of refused and conflicting readings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from app.database import SessionDep
from app.direct import DirectRoute
from app.ingest import chart
from app.ingest.actions import received, summarise
from app.ingest.body import read_body
from app.ingest.committer import Committer
from app.ingest.decode import decode
from app.ingest.posting import DECODED_AT_ONCE_BYTES, short_way
from app.ingest.schemas import READINGS_BODY, MachineReadings, ReadingsReport
from app.security.policy import Allow, PrincipalDep, Role, allow
from app.settings import Settings, SettingsDep
from app.short_way import STATE as SHORT_WAYS

POST_READINGS, SENSORS = "/api/v1/readings", Allow(frozenset({Role.SENSOR}))


@asynccontextmanager
async def committing(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """Starts the committer with the service; at the end everything that waits is committed and answered."""
    committer = committer_of(app)
    way = short_way(app, committer, "POST", POST_READINGS, SENSORS)
    try:
        yield {SHORT_WAYS: {(way.method.encode(), way.path.encode()): way}}
    finally:
        await committer.stop()


def committer_of(app: FastAPI) -> Committer:
    committer: Committer | None = getattr(app.state, "committer", None)
    if committer is None:
        committer = app.state.committer = Committer(app.state.bind, app.state.settings)
    return committer


router = APIRouter(prefix="/api/v1", tags=["readings"], lifespan=committing)


@router.post(
    "/readings",
    dependencies=[allow(Role.SENSOR)],
    response_model=ReadingsReport,
    openapi_extra=READINGS_BODY,
    summary="Store readings; the answer comes after the commit and names every row that was not stored.",
)
async def post_readings(request: Request, principal: PrincipalDep) -> Response:
    settings: Settings = request.app.state.settings
    committer = committer_of(request.app)
    committer.check_room()
    body = await read_body(request, settings)
    committer.check_room()
    arguments = (body, request.headers.get("content-type", ""), settings.max_rows)
    small = len(body) <= DECODED_AT_ONCE_BYTES
    decoded = decode(*arguments) if small else await run_in_threadpool(decode, *arguments)
    report = await committer.submit(received(decoded, principal))
    return Response(summarise(report), media_type="application/json")


DIRECT = (DirectRoute("POST", POST_READINGS, SENSORS, post_readings),)


@router.get(
    "/machines/{key}/readings",
    dependencies=[allow(Role.OPERATOR)],
    response_model=MachineReadings,
    summary="A machine's channels as columns for a chart; the extremes survive however many readings there are.",
)
def get_machine_readings(
    key: str,
    session: SessionDep,
    settings: SettingsDep,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="Exclusive; default: now.")] = None,
    max_points: Annotated[int, Query(ge=1, le=2000)] = 2000,
) -> Response:
    asked = chart.window(session, key, start, end)
    body = chart.machine_readings(session, settings, key, asked, max_points)
    return Response(body, media_type="application/json")
