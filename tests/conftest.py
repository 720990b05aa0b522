"""A real PostgreSQL for every test, built once by the migrations; each test is rolled back or has its own copy."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from factories import at, make_model, make_prediction, make_reading
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.orm import Session

from app.database import make_engine
from app.embedded import start_embedded
from app.fleet.tables import Event, Machine
from app.main import create_app
from app.migrate import migrate
from app.security.keys import create_key
from app.security.policy import SESSION_COOKIE, Role
from app.security.signing_in import sign_in as start_session
from app.security.users import create_user
from app.settings import Settings

__all__ = ["at", "make_model", "make_prediction", "make_reading"]

with warnings.catch_warnings():
    # Starlette prefers httpx2, which is not among our pinned packages.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

TEMPLATE = "wearwatch_test_template"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An autocommit engine on the test server: DATABASE_URL's, or an embedded one."""
    given = os.environ.get("DATABASE_URL")
    url = make_url(given) if given else start_embedded(tmp_path_factory.mktemp("pg"))
    engine = make_engine(url.set(drivername="postgresql+psycopg")).execution_options(isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def template(server: Engine) -> Iterator[str]:
    """The name of a migrated, empty database that others are copied from."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = make_engine(server.url.set(database=name))
    migrate(engine)
    engine.dispose()
    yield name
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _copy(server: Engine, template: str) -> Iterator[Engine]:
    name = f"wearwatch_test_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine = make_engine(server.url.set(database=name))
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def shared_engine(server: Engine, template: str) -> Iterator[Engine]:
    yield from _copy(server, template)


@pytest.fixture
def engine(server: Engine, template: str) -> Iterator[Engine]:
    """A database of its own for tests that commit (ingest, jobs, processes)."""
    yield from _copy(server, template)


@pytest.fixture(scope="module")
def module_engine(server: Engine, template: str) -> Iterator[Engine]:
    """A database of its own for the tests of a file that share a service."""
    yield from _copy(server, template)


@pytest.fixture
def connection(shared_engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction is rolled back after the test."""
    with shared_engine.connect() as connection:
        outer = connection.begin()
        yield connection
        outer.rollback()


@pytest.fixture
def session(connection: Connection) -> Iterator[Session]:
    with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def make_machine(session: Session) -> Callable[..., Machine]:
    def make(key: str = "press-07", **columns: object) -> Machine:
        machine = Machine(key=key, **columns)
        session.add(machine)
        session.flush()
        return machine

    return make


@pytest.fixture
def make_event(session: Session) -> Callable[..., Event]:
    def make(machine: Machine, kind: str = "failure", **columns: object) -> Event:
        event = Event(machine_id=machine.id, kind=kind, **columns)
        session.add(event)
        session.flush()
        return event

    return make


@pytest.fixture
def client(settings: Settings, connection: Connection) -> Iterator[TestClient]:
    """The service on the test's own connection; what it commits is rolled back after the test."""
    with TestClient(create_app(settings, connection), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def key_for(session: Session) -> Callable[..., dict[str, str]]:
    """`key_for(Role.OPERATOR)` -> the headers of a request with a fresh key of that role."""

    def make(role: Role, **options: object) -> dict[str, str]:
        key = create_key(session, f"{role} {uuid.uuid4().hex[:8]}", role, **options)
        session.commit()
        return {"Authorization": f"Bearer {key}"}

    return make


@pytest.fixture
def planner(key_for: Callable[..., dict[str, str]]) -> dict[str, str]:
    return key_for(Role.PLANNER)


@pytest.fixture
def operator(key_for: Callable[..., dict[str, str]]) -> dict[str, str]:
    return key_for(Role.OPERATOR)


@pytest.fixture
def sign_in(client: TestClient, settings: Settings, session: Session) -> Callable[..., dict[str, str]]:
    """`sign_in(Role.PLANNER)` signs `client` in as a person -> the headers that a change needs."""

    def start(role: Role = Role.OPERATOR, name: str | None = None) -> dict[str, str]:
        name = name or f"{role} {uuid.uuid4().hex[:8]}"
        password = create_user(session, name, None, role)
        signed_in = start_session(session, settings, name, password, "testclient")
        assert signed_in is not None
        session.commit()
        client.cookies.set(SESSION_COOKIE, signed_in.cookie)
        return {"X-CSRF-Token": signed_in.csrf_token}

    return start
