"""The embedded PostgreSQL ends with the last process that uses it, however the others ended, and not before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.database import make_engine
from app.embedded_settings import fitting

ROOT = Path(__file__).parent.parent
USE = """
import sys
from pathlib import Path
from app.embedded import start_embedded
print(start_embedded(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""

User = subprocess.Popen[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture
def use(folder: Path) -> Iterator[Callable[[], User]]:
    """`use()`: a process that has joined the server; it ends when its input ends."""
    started: list[User] = []

    def start() -> User:
        command = [sys.executable, "-c", USE, str(folder)]
        user = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(user)
        assert user.stdout is not None
        assert "host=" in user.stdout.readline()
        return user

    yield start
    for user in started:
        _end(user)


def _end(user: User) -> None:
    with user:
        if user.stdin is not None and user.poll() is None:
            user.stdin.close()
        user.wait(30)


def _servers(folder: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if str(folder / "postgres") in _command(each)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.name() == "postgres" else []
    except psutil.Error:
        return []


def test_it_runs_until_the_last_of_its_users_has_ended(use: Callable[[], User], folder: Path) -> None:
    first, second = use(), use()
    _end(first)
    assert len(_servers(folder)) == 1
    _end(second)
    assert _servers(folder) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_a_process_that_is_told_to(use: Callable[[], User], folder: Path, number: int) -> None:
    user = use()
    user.send_signal(number)
    assert user.wait(30) == 128 + number
    assert _servers(folder) == []


def test_a_killed_user_is_not_waited_for(use: Callable[[], User], folder: Path) -> None:
    killed, last = use(), use()
    killed.kill()
    killed.wait()
    _end(last)
    assert _servers(folder) == []


def test_another_program_with_the_old_number_is_not_taken_for_the_server(
    use: Callable[[], User], folder: Path
) -> None:
    _end(use())
    stale = [os.getpid(), folder / "postgres", 1_700_000_000, 5432, folder / "postgres", "", "1 1", "ready"]
    (folder / "postgres" / "postmaster.pid").write_text("\n".join(map(str, stale)) + "\n")
    use()
    engine = make_engine(make_url(f"postgresql+psycopg://postgres@/postgres?host={folder / 'postgres'}"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_server_that_was_killed_is_started_again_and_still_ends_with_its_last_user(
    use: Callable[[], User], folder: Path
) -> None:
    first, second = use(), use()
    (server,) = [each for each in _servers(folder) if "-D" in each.cmdline()]
    server.kill()
    engine = make_engine(make_url(f"postgresql+psycopg://postgres@/postgres?host={folder / 'postgres'}"))
    _wait_until_it_answers(engine)
    engine.dispose()
    _end(first)
    _end(second)
    assert _servers(folder) == []


def _wait_until_it_answers(engine: Engine) -> None:
    for _ in range(150):
        try:
            with engine.connect() as connection:
                assert connection.scalar(text("SELECT 1")) == 1
                return
        except OperationalError:
            time.sleep(0.1)
    pytest.fail("the server did not come back within 15 s")


def test_a_service_that_is_told_to_stop_leaves_no_server_behind(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    service = subprocess.Popen(
        [sys.executable, "-m", "wearwatch", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**environment, "WEARWATCH_DATA_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        service.terminate()
        service.wait(30)
    finally:
        service.kill()
    assert _servers(folder) == []


def _wait_until_ready(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the service was not ready within 30 s")


@pytest.mark.parametrize(
    ("memory_gib", "disk_gib", "buffers", "log"),
    [(1, 10, "128MB", "512MB"), (24, 500, "2048MB", "4096MB"), (0, 0, "128MB", "256MB")],
)
def test_its_settings_fit_the_host(memory_gib: int, disk_gib: int, buffers: str, log: str) -> None:
    found = fitting(memory_gib << 30, disk_gib << 30)
    assert (found["shared_buffers"], found["max_wal_size"]) == (buffers, log)


def test_its_settings_are_in_effect_and_an_administrator_outranks_them(
    use: Callable[[], User], folder: Path
) -> None:
    def tell(*statements: str) -> list[str]:
        socket_folder = (folder / "postgres" / "postmaster.pid").read_text().splitlines()[4]
        engine = make_engine(make_url(f"postgresql+psycopg://postgres@/postgres?host={socket_folder}"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            found = [connection.execute(text(each)) for each in statements]
            told = [each.scalar() for each in found if each.returns_rows]
        engine.dispose()
        return told

    shown = ("SHOW max_locks_per_transaction", "SHOW checkpoint_timeout")
    first = use()
    assert tell(*shown, "ALTER SYSTEM SET checkpoint_timeout = '7min'") == ["256", "15min"]
    _end(first)
    use()
    assert tell(*shown, "ALTER SYSTEM RESET ALL") == ["256", "7min"]
