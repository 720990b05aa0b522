"""P1, its textbook half: durable ingest over HTTP, `wearwatch serve` against bench.textbook on one PostgreSQL."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, text

from app.database import make_engine, session_scope
from app.embedded import start_embedded
from app.migrate import migrate
from app.security.keys import create_key
from app.security.principal import Role
from bench.measure import Comparison, Side, compare
from bench.sender import CONNECTIONS, READINGS_A_REQUEST

GOAL = 8.0
ROOT = Path(__file__).parent.parent
# Fixed for each side, so that both run for some seconds although one is far faster.
OUR_REQUESTS, TEXTBOOK_REQUESTS = 400, 60
WARM_UP_REQUESTS = 8
READY_SECONDS = 60
STOP_SECONDS = 20


class Target:
    """A service under load; every run sends readings that it has not seen yet."""

    def __init__(self, path: str, key: str, requests: int, database: URL) -> None:
        self.path, self.key, self.requests, self.database = path, key, requests, database
        self.sent = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def run(self) -> float:
        """Readings a second, each acknowledged."""
        return self.send(self.requests)

    def send(self, requests: int) -> float:
        words = [str(word) for word in (self.port, self.path, self.key, self.sent, requests)]
        self.sent += requests
        done = subprocess.run(
            [sys.executable, "-m", "bench.sender", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE
        )
        return float(done.stdout)

    def check_stored(self) -> None:
        """Raises where an acknowledged reading is not in the database."""
        stored = int(_ask(self.database, "SELECT count(*) FROM readings"))
        if stored != self.sent * READINGS_A_REQUEST:
            raise RuntimeError(f"{self.path}: {stored} readings are stored of {self.sent * READINGS_A_REQUEST}.")


def measure(rounds: int) -> tuple[Comparison, dict[str, object]]:
    folder = Path(tempfile.mkdtemp(prefix="wearwatch-bench-"))
    # Registered before PostgreSQL's own farewell, and so called after it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = start_embedded(folder)
    _ask(url, "CREATE DATABASE textbook")
    ours = Target("/api/v1/readings", _key(url), OUR_REQUESTS, url)
    peer = Target("/readings", "", TEXTBOOK_REQUESTS, url.set(database="textbook"))
    with ExitStack() as stack:
        serve = ["-m", "wearwatch", "serve", "--port", str(ours.port)]
        stack.enter_context(_running(serve, ours.port, "/readyz", WEARWATCH_DATA_DIR=str(folder)))
        serve = ["-m", "uvicorn", "bench.textbook:app", "--no-access-log", "--port", str(peer.port)]
        address = peer.database.render_as_string(hide_password=False)
        stack.enter_context(_running(serve, peer.port, "/openapi.json", DATABASE_URL=address))
        for target in (ours, peer):
            target.send(WARM_UP_REQUESTS)
        found = compare(
            "ingest",
            f"Durable ingest over HTTP, {READINGS_A_REQUEST:,} readings a request, {CONNECTIONS} connections (P1)",
            "readings/s",
            GOAL,
            Side("Wearwatch", ours.run),
            Side("textbook endpoint", peer.run),
            rounds,
        )
        for target in (ours, peer):
            target.check_stored()
    more = {name: _ask(url, f"SHOW {name}") for name in ("server_version", "fsync", "synchronous_commit")}
    sizes = {"our_readings": OUR_REQUESTS, "peer_readings": TEXTBOOK_REQUESTS}
    return found, {**{name: count * READINGS_A_REQUEST for name, count in sizes.items()}, **more}


def _key(url: URL) -> str:
    engine = make_engine(url)
    migrate(engine)
    with session_scope(engine) as session:
        key = create_key(session, "bench", Role.SENSOR, may_register_machines=True)
    engine.dispose()
    return key


def _ask(url: URL, statement: str) -> str:
    """The first value of the answer; nothing for a command."""
    engine = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        value = str(result.scalar()) if result.returns_rows else ""
    engine.dispose()
    return value


@contextmanager
def _running(arguments: list[str], port: int, ready_path: str, **settings: str) -> Iterator[None]:
    """A Python process that answers on the loopback address; gone at the end, whatever happens."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WEARWATCH_") and name != "DATABASE_URL"
    }
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=inherited | settings, stdout=sys.stderr)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}{ready_path}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError(f"The process behind {address} did not become ready in {READY_SECONDS} s.")
