"""One made fleet for all tests of the pages, and people to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from made_fleet import database_of_its_own, make_fleet
from sqlalchemy import Engine

from app.database import session_scope
from app.main import create_app
from app.security.principal import Role
from app.security.users import create_user
from app.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture(scope="package")
def made(server: Engine, template: str) -> Iterator[Engine]:
    """60 machines, their history, three models, a plan; an operator and an administrator."""
    with database_of_its_own(server, template) as engine:
        make_fleet(engine)
        with session_scope(engine) as session:
            create_user(session, "Olga", PASSWORD, Role.OPERATOR)
            create_user(session, "Ada", PASSWORD, Role.ADMIN)
        yield engine


@pytest.fixture(scope="package")
def made_app(made: Engine, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(Settings(data_dir=Path(tmp_path_factory.mktemp("data")), plant="Plant North"), made)


@pytest.fixture
def sign_in(made_app: FastAPI) -> Iterator[Callable[[str], TestClient]]:
    """A browser in which this person is signed in."""
    clients = []

    def browser(name: str) -> TestClient:
        client = TestClient(made_app, base_url="http://localhost")
        clients.append(client)
        answer = client.post("/sign-in", data={"name": name, "password": PASSWORD}, follow_redirects=False)
        assert answer.status_code == 303
        return client

    yield browser
    for client in clients:
        client.close()


@pytest.fixture
def operator(sign_in: Callable[[str], TestClient]) -> TestClient:
    return sign_in("Olga")


@pytest.fixture
def admin(sign_in: Callable[[str], TestClient]) -> TestClient:
    return sign_in("Ada")
