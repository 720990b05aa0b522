"""The service with a sender whose role a test chooses, and readings as they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, text

from app.database import session_scope
from app.main import create_app
from app.security.keys import create_key
from app.security.principal import Role
from app.security.tables import ApiKey


def reading(at: str = "2026-11-20T08:00:00Z", machine: str = "press-07", **channels: object) -> dict[str, object]:
    return {"machine": machine, "measured_at": at, **(channels or {"temperature_c": 61.2})}


@pytest.fixture
def application(engine: Engine, settings) -> FastAPI:
    return create_app(settings, engine)


@pytest.fixture
def client(application: FastAPI) -> Iterator[TestClient]:
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def send_as(client: TestClient, engine: Engine) -> Callable[..., None]:
    """`send_as(Role.OPERATOR)`: whose key goes along from now on."""

    def become(role: Role, may_register_machines: bool = True) -> None:
        name = f"{role}{'' if may_register_machines else ' of known machines'}"
        with session_scope(engine) as session:
            session.execute(delete(ApiKey).where(ApiKey.name == name))
            key = create_key(session, name, role, may_register_machines=may_register_machines)
        client.headers["authorization"] = f"Bearer {key}"

    become(Role.ADMIN)
    return become


@pytest.fixture
def post(client: TestClient, send_as: Callable[..., None]):
    """Post rows as JSON, or a body as it is; the answer."""

    def post(body: object, **headers: str):
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return client.post(
            "/api/v1/readings", content=content, headers={"content-type": "application/json"} | headers
        )

    return post


@pytest.fixture
def stored(engine: Engine):
    """What lies in the database: (machine, time, channels) in order."""

    def stored() -> list[tuple[str, str, dict[str, float]]]:
        query = """SELECT m.key, to_char(r.measured_at, 'YYYY-MM-DD HH24:MI:SS'), r.temperature_c, r.vibration_mm_s,
            r.current_a, r.runtime_hours, r.extra
            FROM readings r JOIN machines m ON m.id = r.machine_id ORDER BY m.key, r.measured_at"""
        names = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")
        with engine.connect() as connection:
            return [
                (
                    key,
                    at,
                    {n: v for n, v in zip(names, values, strict=True) if v is not None} | (extra or {}),
                )
                for key, at, *values, extra in connection.execute(text(query))
            ]

    return stored


@pytest.fixture
def ask(engine: Engine) -> Callable[[str], list[tuple[object, ...]]]:
    """The rows of a query."""

    def ask(query: str) -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    return ask


def counts(answer) -> dict[str, int]:
    """The answer's counts that are not zero."""
    assert answer.status_code == 200, answer.text
    report = answer.json() | {"rejected": len(answer.json()["rejected"])}
    return {name: count for name, count in report.items() if name != "conflicting" and count}
