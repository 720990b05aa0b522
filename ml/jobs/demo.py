"""`wearwatch demo`: a simulated plant from nothing to live risk on one host, and back to nothing on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from sqlalchemy import Engine

from app.database import session_scope
from app.errors import Unavailable
from app.fleet.importing import import_events, import_machines
from app.ingest.importing import import_readings
from app.ingest.rollup import roll_up_all
from app.progress import ShowProgress
from app.security.keys import create_key
from app.security.principal import Role
from app.security.users import create_user
from app.serving import check_free
from app.settings import Settings
from ml.jobs.plan import plan
from ml.jobs.score import score
from ml.jobs.train import train
from ml.simulate.fleet import simulate_fleet, write_csvs
from ml.simulate.live import LiveFleet

# Learning ends so long ago, so that the risk history of the last days is of days the models never saw.
HINDSIGHT = timedelta(days=7)
SCORINGS = 14
READY_WITHIN_SECONDS = 30
STOP_WITHIN_SECONDS = 20
CHECK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class SignIn:
    """What the demo made up at its first start; kept in the data folder, readable by its owner only."""

    name: str
    password: str
    sensor_key: str
    operator_key: str


def run_demo(
    engine: Engine,
    settings: Settings,
    *,
    machines: int,
    days: int,
    seed: int,
    console: Console,
    progress: ShowProgress,
) -> None:
    """Prepare once, then run service, worker and sensors until stopped."""
    check_free(settings.host, settings.port)
    folder = settings.data_dir / "demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = folder / "ready.json"
    if done.exists():
        console.print("Taking up the plant of the last demo.")
    else:
        console.print(f"Making a plant of {machines} motors with {days} days of history; this takes minutes, once.")
        _fill(engine, settings, folder, machines, days, seed, progress)
        sign_in = _make_sign_in(engine)
        with os.fdopen(os.open(done, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(sign_in), file)
    _run(settings, SignIn(**json.loads(done.read_text())), folder, console)


def _fill(
    engine: Engine,
    settings: Settings,
    folder: Path,
    machines: int,
    days: int,
    seed: int,
    progress: ShowProgress,
) -> None:
    """History, models, risk and plan. Every step may be repeated, so a broken first start simply goes on."""
    with progress("simulating") as show:
        fleet = simulate_fleet(machines, days, datetime.now(UTC), seed, show)
        write_csvs(fleet, folder)
        LiveFleet.after(fleet).save(folder / "fleet.json")
    with progress("machines and events") as show:
        import_machines(engine, folder / "machines.csv", show)
        import_events(engine, folder / "events.csv", show)
    with progress("readings") as show:
        import_readings(engine, settings, folder / "readings.csv", show)
    with progress("roll-ups") as show:
        roll_up_all(engine, settings, show)
    now = datetime.now(UTC)
    with progress("training") as show:
        train(engine, settings, until=now - HINDSIGHT, horizons=None, seed=seed, promote=True, progress=show)
    with progress("scoring the last week") as show:
        for number in range(SCORINGS + 1):
            score(engine, settings, now - HINDSIGHT * (1 - number / SCORINGS))
            show(number / SCORINGS)
        plan(engine, settings)


def _make_sign_in(engine: Engine) -> SignIn:
    with session_scope(engine) as session:
        password = create_user(session, "demo", None, Role.ADMIN)
        sensor_key = create_key(session, "demo sensors", Role.SENSOR)
        operator_key = create_key(session, "demo events", Role.OPERATOR)
    return SignIn("demo", password, sensor_key, operator_key)


def _run(settings: Settings, sign_in: SignIn, folder: Path, console: Console) -> None:
    address = f"http://{settings.host}:{settings.port}"
    children: dict[str, subprocess.Popen[bytes]] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        children["service"] = _start(folder, "service", "serve")
        _wait_ready(address, children["service"], folder)
        children["worker"] = _start(folder, "worker", "worker")
        keys = {"WEARWATCH_API_KEY": sign_in.sensor_key, "WEARWATCH_EVENTS_KEY": sign_in.operator_key}
        children["sensors"] = _start(
            folder, "sensors", "simulate", "sensors", "--out", str(folder), "--url", address, env=keys
        )
        console.print(f"\n  Open      {address}\n  Name      {sign_in.name}\n  Password  {sign_in.password}\n")
        console.print(f"Service, worker and sensors run; their logs lie in {folder}. Ctrl-C stops everything.")
        _watch(children, folder)
    except KeyboardInterrupt:
        console.print("\nStopping ...")
    finally:
        _stop(children)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(folder: Path, name: str, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A part of the demo in a session of its own, so that Ctrl-C reaches us first and we stop them in order."""
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "wearwatch", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | (env or {}),
        )


def _wait_ready(address: str, service: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310  (our own address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(CHECK_EVERY_SECONDS)
    raise Unavailable(f"The service did not become ready; see {folder / 'service.log'}.")


def _watch(children: dict[str, subprocess.Popen[bytes]], folder: Path) -> None:
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                raise Unavailable(
                    f"The {name} stopped by itself (exit {child.returncode}); see its log in {folder}."
                )
        time.sleep(CHECK_EVERY_SECONDS)


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    """Sensors first, the service last, so that no post is cut off."""
    for child in reversed(children.values()):
        child.terminate()
    for child in reversed(children.values()):
        try:
            child.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
