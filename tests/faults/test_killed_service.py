"""The service killed with batches in flight: what was acknowledged is there once, nothing is half there.

Five kills by default; `WEARWATCH_KILLS=200 make faults` is the full form.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.database import session_scope
from app.security.keys import create_key
from app.security.principal import Role
from tests.faults.ledger import Ledger

KILLS = int(os.environ.get("WEARWATCH_KILLS", "5"))
SENDERS, ROWS = 8, 20
START = 1_760_000_000
READY_SECONDS = 15


def rows_of(batch: int) -> list[dict[str, object]]:
    """A batch no other shares a row with, whose values follow from its number."""
    first = START + batch * ROWS
    return [
        {
            "machine": f"m-{batch % 7}",
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first + row)),
            "temperature_c": (batch * ROWS + row) % 997 / 10,
        }
        for row in range(ROWS)
    ]


class Sender(threading.Thread):
    """Sends one batch after the other until told to stop; a cut connection leaves the batch unknown."""

    def __init__(self, port: int, key: str, ledger: Ledger, numbers: list[int]) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.ledger, self.numbers = port, key, ledger, numbers
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set() and self.numbers:
            batch = self.numbers.pop()
            self.ledger.write(batch, "sending")
            try:
                status = self._post(batch)
            except (OSError, http.client.HTTPException):
                continue
            self.ledger.write(batch, "acknowledged" if status == 200 else "refused")

    def _post(self, batch: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/api/v1/readings", json.dumps(rows_of(batch)), headers)
            return connection.getresponse().status
        finally:
            connection.close()


def start(engine: Engine, folder: Path, port: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "WEARWATCH_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-m", "wearwatch", "serve", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    service = subprocess.Popen(command, env=environment, **quiet)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return service
        except OSError:
            time.sleep(0.05)
    service.kill()
    pytest.fail(f"The service was not ready after {READY_SECONDS} s.")


def stored(engine: Engine) -> Counter[int]:
    """How many rows of each batch there are, each with the value it was sent with."""
    query = "SELECT extract(epoch FROM measured_at)::bigint - :start, temperature_c FROM readings"
    found: Counter[int] = Counter()
    with engine.connect() as connection:
        for number, value in connection.execute(text(query), {"start": START}):
            assert value == number % 997 / 10
            found[number // ROWS] += 1
    return found


@pytest.mark.timeout(60 + 30 * KILLS)
def test_a_killed_service_loses_no_acknowledged_reading_and_leaves_no_half_batch(
    engine: Engine, tmp_path: Path
) -> None:
    with session_scope(engine) as session:
        key = create_key(session, "gateway", Role.SENSOR, may_register_machines=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ledger = Ledger(tmp_path / "ledger")
    numbers = list(range(1_000_000, 0, -1))
    chance = random.Random(1)
    for _ in range(KILLS):
        service = start(engine, tmp_path, port)
        senders = [Sender(port, key, ledger, numbers) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(0.3 + chance.random())
        service.kill()
        service.wait()
        for sender in senders:
            sender.stop.set()
        for sender in senders:
            sender.join()

    ledger.close()
    known, found = ledger.batches(), stored(engine)
    assert len(known["acknowledged"]) > 10 * KILLS
    assert known["unknown"], "no batch was in flight when the service was killed"
    assert {batch for batch in known["acknowledged"] if found[batch] != ROWS} == set()
    assert {batch for batch in known["refused"] if found[batch]} == set()
    assert {batch for batch in known["unknown"] if found[batch] not in (0, ROWS)} == set()
