"""Wearwatch and the textbook endpoint as sides of the ingest benchmarks, on one embedded PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text

from app.database import make_engine, session_scope
from app.migrate import migrate
from app.security.keys import create_key
from app.security.principal import Role
from bench.target import Target, free_port, running

JSON = "Content-Type: application/json\r\n"
WHOLE = """
    SELECT count(*) FROM {readings} WHERE {machine} LIKE '{series}-%'
    AND num_nonnulls(temperature_c, vibration_mm_s, current_a, runtime_hours) = 4
"""

# Every transaction that writes is given a number; the next one to be given, of the whole server.
WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


@contextmanager
def wearwatch(url: URL, folder: Path, processes: int, name: str = "Wearwatch") -> Iterator[Target]:
    """`folder` is the data folder, `url` a database of its embedded server."""
    port, key = free_port(), _key(url)
    serve = [sys.executable, "-m", "wearwatch", "serve", "--port", str(port)]
    settings = {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "WEARWATCH_DATA_DIR": str(folder),
        "WEARWATCH_PROCESSES": str(processes),
    }
    # Packed or not.
    readings = "every_reading JOIN machines ON machines.id = machine_id"
    with running(serve, port, "/readyz", **settings) as number:
        yield Target(
            name if processes == 1 else f"{name} x {processes}",
            port,
            "/api/v1/readings",
            f"Authorization: Bearer {key}\r\n{JSON}",
            "json",
            number,
            _postmaster(folder),
            lambda series: int(ask(url, WHOLE.format(readings=readings, machine="machines.key", series=series))),
            lambda: int(ask(url, WRITTEN)),
        )


@contextmanager
def textbook(url: URL, folder: Path) -> Iterator[Target]:
    """In a database of its own on the same server."""
    port, own = free_port(), new_database(url, "textbook")
    serve = [sys.executable, "-m", "uvicorn", "bench.textbook:app", "--no-access-log", "--port", str(port)]
    address = own.render_as_string(hide_password=False)
    with running(serve, port, "/openapi.json", DATABASE_URL=address) as number:
        yield Target(
            "textbook",
            port,
            "/readings",
            JSON,
            "json",
            number,
            _postmaster(folder),
            lambda series: int(ask(own, WHOLE.format(readings="readings", machine="machine", series=series))),
        )


def new_database(url: URL, name: str) -> URL:
    ask(url, f"CREATE DATABASE {name}")
    return url.set(database=name)


def ask(url: URL, statement: str) -> str:
    """The first value of the answer; nothing for a command."""
    engine = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        value = str(result.scalar()) if result.returns_rows else ""
    engine.dispose()
    return value


def _postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def _key(url: URL) -> str:
    engine = make_engine(url)
    migrate(engine)
    with session_scope(engine) as session:
        key = create_key(session, "bench", Role.SENSOR, may_register_machines=True)
    engine.dispose()
    return key
