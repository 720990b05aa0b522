"""The service as a process of its own: light, quick to be ready, quiet about secrets, gone when told."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.database import session_scope
from app.security.keys import create_key
from app.security.principal import Role

ROOT = Path(__file__).parent.parent
HEAVY = ("tensorflow", "sklearn", "keras", "ortools", "pandas", "scipy", "skops", "h5py")
# What single commands use; together they weigh 12 MiB.
FOR_COMMANDS = ("alembic", "mako", "procrastinate")
MOST_MIB = 150
# Processor time, not wall time: other tests may be using the cores.
MOST_CPU_SECONDS = 3.0


class Service:
    def __init__(self, engine: Engine, folder: Path, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with session_scope(engine) as session:
            self.key = create_key(session, "probe", Role.ADMIN)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WEARWATCH_")},
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "WEARWATCH_LOG_FORMAT": "json",
            "WEARWATCH_DATA_DIR": str(folder),
            **settings,
        }
        self.log = folder / "log"
        with self.log.open("wb") as log:
            port = self.address.rpartition(":")[2]
            command = [sys.executable, str(ROOT / "wearwatch.py"), "serve", "--port", port]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, stdout=log)

    def get(self, path: str) -> int:
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.key}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def wait_until_ready(self) -> None:
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.get("/readyz") == 200:
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail("the service was not ready within 30 s")

    def count(self, route: str) -> float:
        with urllib.request.urlopen(self.address + "/metrics", timeout=10) as answer:
            counted = re.findall(rf'requests_total{{.*route="{route}".*}} (.+)', answer.read().decode())
        return sum(map(float, counted))

    def proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text()


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Service]:
    service = Service(engine, tmp_path)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.process.kill()
        service.process.wait()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc, which only Linux has")
def test_a_running_service_is_light_and_goes_when_told(service: Service):
    user, system = service.proc("stat").rpartition(")")[2].split()[11:13]
    assert (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") <= MOST_CPU_SECONDS
    for path in ("/", "/api/v1/machines", "/api/v1/risk", "/api/v1/plan", "/api/v1/models", "/metrics", "/sign-in"):
        assert service.get(path) < 500, path
    assert service.get("/api/v1/machines?q=hush&key=hush") == 200
    loaded = set(re.findall(r"site-packages/(\w+)", service.proc("maps")))
    assert loaded & {"psycopg_binary", "pydantic_core"}
    assert loaded.isdisjoint(HEAVY)
    (resident,) = re.findall(r"VmRSS:\s+(\d+) kB", service.proc("status"))
    assert int(resident) / 1024 <= MOST_MIB
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(timeout=15)
    log = service.log.read_text()
    assert [json.loads(line) for line in log.splitlines()]
    assert service.key.split("_")[2] not in log
    assert "hush" not in log


def test_several_processes_count_together(engine: Engine, tmp_path: Path):
    service = Service(engine, tmp_path, WEARWATCH_PROCESSES="2")
    try:
        service.wait_until_ready()
        # At once, so that both processes are reached.
        with ThreadPoolExecutor(16) as at_once:
            assert set(at_once.map(service.get, ["/healthz"] * 200)) == {200}
            told = set(at_once.map(service.count, ["/healthz"] * 50))
    finally:
        service.process.terminate()
        service.process.wait(timeout=15)
    assert told == {200.0}


def test_building_the_application_imports_nothing_heavy():
    program = f"""
import sys
import wearwatch
from app.main import create_app
from app.settings import Settings
create_app(Settings(), None).openapi()
print([name for name in {HEAVY + FOR_COMMANDS!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks the C library of Linux")
def test_threads_share_one_heap():
    program = """
import ctypes, os, threading
from app.memory import keep_memory_small
keep_memory_small()
kept, libc = [], ctypes.CDLL(None)
threads = [threading.Thread(target=lambda: kept.append([bytes(5000) for _ in range(100)])) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1
