"""The service put together: every room's routes, one way out for errors, the limits at the edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig

from app import health, problems
from app.dashboard import routes as dashboard
from app.dashboard.hub import listening
from app.dashboard.page_route import problem_page
from app.database import Bind, database_url, make_engine
from app.direct import Direct
from app.errors import NotFound
from app.fleet import routes as fleet
from app.fleet.failure_modes import load_failure_modes
from app.ingest import data_routes as data
from app.ingest import routes as ingest
from app.ingest.asset_classes import load_asset_classes
from app.ingest.body import UnderWay
from app.ingest.influx import routes as influx
from app.ingest.influx.series import KnownSeries
from app.ingest.mapping_file import load_mapping
from app.jobs import routes as jobs
from app.jobs import what_if_routes as what_ifs
from app.logs import RequestLog, configure_logs
from app.memory import keep_memory_small, search_garbage_rarely
from app.orders import routes as orders
from app.outcomes import routes as outcomes
from app.planning import routes as planning
from app.risk import routes as risk
from app.security import routes as security
from app.security.body_limit import BodyLimit
from app.security.headers import SecurityHeaders
from app.security.policy import public
from app.security.recent import RecentPrincipals
from app.settings import Settings, get_settings
from app.webhooks import routes as webhooks

# Nobody set one up, and asking whether somebody did costs a fifth of a small request.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# Their routes ask who sends before they read, and bound what arrives by the settings.
BULK_PATHS = ("/api/v1/readings", "/api/v2/write", "/write")
DIRECT = (*ingest.DIRECT, *influx.DIRECT)
ROOMS = (
    *(ingest, data, influx, dashboard, fleet, risk, planning, orders),
    *(webhooks, outcomes, security, jobs, what_ifs, health),
)


def create_app(settings: Settings, bind: Bind) -> FastAPI:
    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with listening(app, bind):
            search_garbage_rarely()
            yield

    # The library's own pages load scripts from a CDN, which neither a factory nor our policy lets through.
    app = FastAPI(
        title="Wearwatch",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=problems.RESPONSES,
        telemetry=NO_TELEMETRY,
        lifespan=running,
    )
    app.state.settings = settings
    app.state.bind = bind
    app.state.recent_principals = RecentPrincipals()
    app.state.bodies_under_way = UnderWay()
    app.state.failure_modes = load_failure_modes(settings.failure_modes)
    app.state.asset_classes = load_asset_classes(settings.plausible_values)
    app.state.known_series = KnownSeries(load_mapping(settings.mapping))

    @app.get("/api/v1/openapi.json", dependencies=[public()], include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return problems.describe_problems(app.openapi())

    for room in ROOMS:
        app.include_router(room.router)
    problems.add_problem_handlers(app)
    app.add_exception_handler(404, no_such_address)
    app.add_middleware(BodyLimit, most_bytes=settings.max_body_bytes, bulk=BULK_PATHS)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    app.add_middleware(Direct, routes=DIRECT, handlers=app.exception_handlers)
    return app


def no_such_address(request: Request, error: Exception) -> Response:
    """A page for people, a problem document for programs."""
    if problems.wants_page(request):
        return problem_page(request, NotFound("There is no such page."))
    return problems.of_http(request, error)


def application() -> FastAPI:
    """For uvicorn: `uvicorn --factory app.main:application`."""
    keep_memory_small()
    settings = get_settings()
    configure_logs(settings)
    return create_app(settings, make_engine(database_url(settings)))
