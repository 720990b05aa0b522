"""P14: from a posted reading to the risk that knows of it, through service and worker as they run in a plant."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import URL

from app.database import session_scope
from app.security.keys import create_key
from app.security.principal import Role
from app.settings import Settings
from bench.finding import Finding, Goal
from bench.measure import out
from bench.scoring import fill
from bench.stored import database, server
from bench.target import free_port, program, running
from bench.taught import let_serve

MACHINES, BUCKETS, BUCKET_SECONDS = 1_000, 720, 20
POSTS_A_ROUND = 4
MOST_SECONDS = 10.0
# After the end of a bucket, so that its last reading comes when the worker may be scoring already.
LATE_SECONDS = 0.3
LONGEST_WAIT_SECONDS = 120


def measure(rounds: int) -> list[Finding]:
    url, settings = server()
    settings = settings.model_copy(update={"bucket": timedelta(seconds=BUCKET_SECONDS)})
    engine = database(url, "fresh", MACHINES)
    let_serve(engine, settings)
    begin = _boundary() - timedelta(seconds=BUCKETS * BUCKET_SECONDS)
    fill(engine, MACHINES, begin, BUCKETS, BUCKET_SECONDS)
    with session_scope(engine) as session:
        sensor = create_key(session, "sensor", Role.SENSOR)
        operator = create_key(session, "operator", Role.OPERATOR)
    engine.dispose()
    found = Finding("P14", f"{MACHINES:,} machines, the last reading of a bucket of {BUCKET_SECONDS} s posted")
    with _plant(url.set(database="fresh"), settings) as port:
        _await_risk(port, operator, datetime.now(UTC) - timedelta(hours=1))
        for number in range(1, rounds * POSTS_A_ROUND + 1):
            out.print(f"P14: post {number} of {rounds * POSTS_A_ROUND} ...", style="dim", highlight=False)
            found.add("Wearwatch", {"s": _post_and_wait(port, sensor, operator)})
    found.goals = [Goal("seconds until the risk knows of it", found.values("Wearwatch", "s"), MOST_SECONDS, True)]
    longest = max(found.values("Wearwatch", "s"))
    found.remarks = [f"The longest took {longest:.1f} s."]
    return [found]


def _boundary() -> datetime:
    seconds = int(time.time()) // BUCKET_SECONDS * BUCKET_SECONDS
    return datetime.fromtimestamp(seconds, UTC)


def _post_and_wait(port: int, sensor: str, operator: str) -> float:
    time.sleep(BUCKET_SECONDS - time.time() % BUCKET_SECONDS + LATE_SECONDS)
    at = (_boundary() - timedelta(seconds=1)).isoformat()
    rows = [
        {
            "machine": f"m{number}",
            "measured_at": at,
            "temperature_c": 61.0,
            "vibration_mm_s": 2.0,
            "current_a": 14.0,
        }
        for number in range(1, MACHINES + 1)
    ]
    before = datetime.now(UTC)
    answer = _ask(port, "/api/v1/readings", sensor, json.dumps(rows).encode())
    if answer["accepted"] != MACHINES:
        raise RuntimeError(f"Not all readings were accepted: {answer}.")
    posted = time.perf_counter()
    _await_risk(port, operator, before)
    return time.perf_counter() - posted


def _await_risk(port: int, operator: str, since: datetime) -> None:
    """Until what is served was made by a scoring that began after that time, and so saw what was stored by then."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        scored_at = _ask(port, f"/api/v1/machines/m{MACHINES}/risk", operator)["scored_at"]
        if scored_at and datetime.fromisoformat(scored_at) >= since:
            return
        time.sleep(0.05)
    raise RuntimeError("The risk did not change.")


def _ask(port: int, path: str, key: str, body: bytes | None = None) -> dict:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@contextmanager
def _plant(url: URL, settings: Settings) -> Iterator[int]:
    """Service and worker as processes of their own; the service's port."""
    port = free_port()
    words = {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "WEARWATCH_DATA_DIR": str(settings.data_dir),
        "WEARWATCH_BUCKET": f"{BUCKET_SECONDS}s",
    }
    serve = [sys.executable, "-m", "wearwatch", "serve", "--port", str(port)]
    work = [sys.executable, "-m", "wearwatch", "worker"]
    with running(serve, port, "/readyz", **words), program(work, **words):
        yield port
