"""Services that end with their test, and the figures a check has seen, printed at the end."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.database import session_scope
from app.migrate import migrate
from app.security.keys import create_key
from app.security.principal import Role
from tests.faults.cluster import Cluster
from tests.faults.ledger import Ledger
from tests.faults.service import Service

SEEN: list[str] = []


@pytest.fixture
def key(engine: Engine) -> str:
    """The key of a gateway that may register machines."""
    return make_key(engine)


def make_key(engine: Engine, role: Role = Role.SENSOR) -> str:
    with session_scope(engine) as session:
        return create_key(session, f"{role} of the faults", role, may_register_machines=True)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """`serve(engine, WEARWATCH_MAX_ROWS="10")` -> a ready service on that database."""
    services: list[Service] = []

    def start(engine: Engine, **settings: str) -> Service:
        url = engine.url.render_as_string(hide_password=False)
        service = Service(tmp_path / "data", DATABASE_URL=url, **settings)
        services.append(service)
        service.start()
        return service

    yield start
    for service in services:
        service.kill()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL with our tables that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="wearwatch-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            migrate(cluster.engine)
            yield cluster
        finally:
            cluster.engine.dispose()
            cluster.end()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger")
    yield ledger
    ledger.close()


@pytest.fixture(autouse=True, scope="session")
def many_files() -> None:
    """A thousand connections need more than the usual 1,024 open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))


@pytest.fixture
def figures() -> Callable[..., None]:
    """`figures("R1", "killed 10 times", lost=0)`: a line of the report."""

    def note(check: str, what: str, **seen: object) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in seen.items())
        SEEN.append(f"{check}  {what}: {told}")

    return note


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SEEN:
        terminalreporter.write_line(line)
