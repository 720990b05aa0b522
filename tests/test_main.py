"""The service as a whole: its policies, its refusals, its edge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter
from fastapi.testclient import TestClient
from starlette.routing import Mount

from app.ingest import routes as ingest
from app.ingest.influx import routes as influx
from app.main import DIRECT, create_app
from app.security.policy import Allow, Public


def api_routes(router: FastAPI | APIRouter) -> Iterator[APIRoute]:
    """Every route, those of included routers too; anything that is neither is a failure."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if isinstance(route, Mount):
            assert route.name == "static", route
        elif included is not None:
            yield from api_routes(included)
        else:
            assert isinstance(route, APIRoute), route
            yield route


def calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


def policies(route: APIRoute) -> list[object]:
    return [call for call in calls(route.dependant) if isinstance(call, Allow | Public)]


@pytest.fixture
def app(settings, connection):
    return create_app(settings, connection)


def test_every_route_declares_its_policy(app):
    routes = list(api_routes(app))
    assert len(routes) >= 4
    assert {f"{route.methods} {route.path}": policies(route) for route in routes if not policies(route)} == {}


def test_a_direct_route_has_the_policy_and_the_endpoint_it_declares(app):
    declared = {(method, route.endpoint): policies(route) for route in api_routes(app) for method in route.methods}
    for room in (ingest, influx):
        assert room.DIRECT
        for route in room.DIRECT:
            assert route in DIRECT
            assert declared[route.method, route.endpoint] == [route.policy]
            assert room.router.url_path_for(route.endpoint.__name__) == route.path


def test_a_route_without_a_policy_is_noticed(app):
    @app.get("/open")
    def forgotten() -> None: ...

    assert [route.path for route in api_routes(app) if not policies(route)] == ["/open"]


def test_an_unknown_route_and_a_wrong_method_are_problem_documents(client: TestClient):
    for answer, status in ((client.get("/nowhere"), 404), (client.put("/healthz"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_a_ready_service_says_so(client: TestClient):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
