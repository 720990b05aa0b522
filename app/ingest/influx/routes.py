"""InfluxDB's addresses: writes of both its versions, and what its clients ask before they write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.direct import DirectRoute
from app.errors import Malformed
from app.ingest.body import read_body
from app.ingest.influx.actions import counts, read, refused_lines
from app.ingest.influx.answers import ErrorV1, ErrorV2, InfluxRoute, of_problem, refusal, words
from app.ingest.influx.credentials import send_as_bearer
from app.ingest.influx.times import PRECISIONS_V1, PRECISIONS_V2, Precision
from app.ingest.routes import committer_of
from app.security.forms import read_form
from app.security.policy import Allow, Principal, PrincipalDep, Role, allow, public

# Reading this much takes about four milliseconds; more would make every other request wait, so it goes to a thread.
READ_AT_ONCE_BYTES = 64 << 10
# The version that knows both ways of writing; clients look at it to choose one.
VERSION = "1.8.10"
VERSION_HEADERS = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "Wearwatch"}
CREATE_DATABASE = re.compile(r"\s*CREATE\s+DATABASE\s+\S.*", re.IGNORECASE | re.DOTALL)

V2, V1 = "/api/v2/write", "/write"

router = APIRouter(tags=["InfluxDB"], route_class=InfluxRoute)

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Line protocol; gzip with `Content-Encoding: gzip`.",
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": "motor,machine=press-07 temperature_c=61.2,vibration_mm_s=2.1 1795161600000000000",
            }
        },
    }
}


KEY_IN_QUERY: dict[str, Any] = {
    "name": "p",
    "in": "query",
    "required": False,
    "description": "A key, from clients that cannot send a header.",
    "schema": {"type": "string"},
}


def _described(precisions: Mapping[str, Precision], *others: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "string", "enum": list(precisions), "default": "ns"}
    precision = {"name": "precision", "in": "query", "required": False, "schema": schema}
    return {**BODY, "parameters": [precision, *others]}


def _responses(shape: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {
        204: {"description": "Every line is stored, was stored before, or held nothing to store."},
        400: {"description": "The lines that are named are not stored, all others are.", "model": shape},
        "4XX": {"description": "Refused, with the reason", "model": shape},
        "5XX": {"description": "Not possible now, with the reason", "model": shape},
    }


async def _write(request: Request, principal: Principal, precision: Precision) -> Response:
    settings, known = request.app.state.settings, request.app.state.known_series
    committer = committer_of(request.app)
    committer.check_room()
    body = await read_body(request, settings)
    committer.check_room()
    arguments = (body, precision, known, settings, principal, datetime.now(UTC))
    small = len(body) <= READ_AT_ONCE_BYTES
    write = read(*arguments) if small else await run_in_threadpool(read, *arguments)
    report = await committer.submit(write.batch)
    refused = refused_lines(write, report)
    headers = {"X-Wearwatch-Report": counts(write, report, refused)}
    if refused:
        return refusal(request, 400, words(refused), headers, line=refused[0].index + 1)
    return Response(status_code=204, headers=headers | VERSION_HEADERS)


def _precision(request: Request, known: Mapping[str, Precision]) -> Precision:
    name = request.query_params.get("precision", "ns")
    if name not in known:
        raise Malformed(f"invalid precision; valid precision units are {', '.join(known)}")
    return known[name]


@router.post(
    V2,
    dependencies=[allow(Role.SENSOR)],
    status_code=204,
    responses=_responses(ErrorV2),
    openapi_extra=_described(PRECISIONS_V2),
    summary="Store readings sent as line protocol, as InfluxDB 2 does; bucket and organisation are not looked at.",
)
async def write_v2(request: Request, principal: PrincipalDep) -> Response:
    return await _write(request, principal, _precision(request, PRECISIONS_V2))


@router.post(
    V1,
    dependencies=[allow(Role.SENSOR)],
    status_code=204,
    responses=_responses(ErrorV1),
    openapi_extra=_described(PRECISIONS_V1, KEY_IN_QUERY),
    summary="Store readings sent as line protocol, as InfluxDB 1 does; database and policy are not looked at.",
)
async def write_v1(request: Request, principal: PrincipalDep) -> Response:
    return await _write(request, principal, _precision(request, PRECISIONS_V1))


SENSORS = Allow(frozenset({Role.SENSOR}))
DIRECT = (
    DirectRoute("POST", V2, SENSORS, write_v2, send_as_bearer, of_problem),
    DirectRoute("POST", V1, SENSORS, write_v1, send_as_bearer, of_problem),
)


class QueryResult(BaseModel):
    statement_id: int = 0


class QueryAnswer(BaseModel):
    results: list[QueryResult] = [QueryResult()]


@router.post(
    "/query",
    dependencies=[allow(Role.SENSOR)],
    responses=_responses(ErrorV1),
    summary="Says yes to CREATE DATABASE, which clients of InfluxDB 1 ask for before they write; nothing is made.",
)
async def query_v1(
    request: Request,
    q: Annotated[str | None, Query()] = None,
    p: Annotated[str | None, Query(description="A key, from clients that cannot send a header.")] = None,
) -> QueryAnswer:
    asked = q or (await read_form(request)).get("q", "")
    if not CREATE_DATABASE.fullmatch(asked):
        raise Malformed("error parsing query: only CREATE DATABASE is understood here; read over /api/v1")
    return QueryAnswer()


@router.head("/ping", dependencies=[public()], status_code=204, include_in_schema=False)
@router.get("/ping", dependencies=[public()], status_code=204, summary="The service answers.")
async def ping() -> Response:
    return Response(status_code=204, headers=VERSION_HEADERS)


class HealthOut(BaseModel):
    name: str = "influxdb"
    message: str = "ready for writes"
    status: str = "pass"
    checks: list[str] = []
    version: str = VERSION


@router.get("/health", dependencies=[public()], summary="The service answers, in InfluxDB's words.")
async def health() -> HealthOut:
    return HealthOut()
