"""A real service on a free port with a fleet of its own, and a real browser to look at it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from made_fleet import database_of_its_own, make_fleet
from sqlalchemy import Engine

from app.database import session_scope
from app.main import create_app
from app.security.keys import create_key
from app.security.principal import Role
from app.security.users import create_user
from app.settings import Settings

PASSWORD = "correct horse battery"
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True)
class Service:
    address: str
    sensor_key: str
    engine: Engine


@pytest.fixture(scope="module")
def service(server: Engine, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with database_of_its_own(server, template) as engine:
        make_fleet(engine)
        with session_scope(engine) as session:
            create_user(session, "Ada Planner", PASSWORD, Role.ADMIN)
            key = create_key(session, "gateway", Role.SENSOR)
        settings = Settings(data_dir=Path(tmp_path_factory.mktemp("data")), plant="Plant North")
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            running = uvicorn.Server(
                uvicorn.Config(create_app(settings, engine), log_config=None, timeout_graceful_shutdown=3)
            )
            thread = threading.Thread(target=running.run, kwargs={"sockets": [door]}, daemon=True)
            thread.start()
            while not running.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield Service(f"http://127.0.0.1:{door.getsockname()[1]}", key, engine)
            running.should_exit = True
            thread.join(10)


# Playwright keeps an event loop running in this thread, which tests of other folders must not find.
@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium found (Debian: apt-get install chromium); the pages were not looked at")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()
