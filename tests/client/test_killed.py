"""The gateway's program killed at random moments, the service too: what was added is stored once, all of it.

10 kills by default; `WEARWATCH_CLIENT_KILLS=500 python -m pytest tests/client/test_killed.py` is the full form.
"""

from __future__ import annotations

import calendar
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.database import session_scope
from app.security.keys import create_key
from app.security.policy import Role
from tests.client import gateway
from tests.client.conftest import Refuse
from tests.client.conftest import Service as FakeService
from tests.faults.service import Service
from wearwatch_client import Client
from wearwatch_client.retry import Backoff

KILLS = int(os.environ.get("WEARWATCH_CLIENT_KILLS", "10"))
LONGEST_LIFE_SECONDS = 0.4
MOST_A_LIFE = 100_000


@pytest.fixture
def wearwatch(engine: Engine, tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "data", DATABASE_URL=engine.url.render_as_string(hide_password=False))
    service.start()
    yield service
    service.kill()


@pytest.fixture
def key(engine: Engine) -> str:
    with session_scope(engine) as session:
        return create_key(session, "gateway", Role.SENSOR, may_register_machines=True)


class Gateway:
    """Lives and is killed; knows from its ledger what it was about to add and what was added."""

    def __init__(self, url: str, key: str, folder: Path) -> None:
        self.queue, self._url, self._ledger = folder / "queue", url, folder / "ledger"
        self._environment = os.environ | {"WEARWATCH_API_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._lives = 0

    def live(self, seconds: float) -> None:
        """Killed so long after its first reading was added."""
        self._lives += 1
        command = [sys.executable, gateway.__file__, self._url, self.queue, self._ledger, self._lives * MOST_A_LIFE]
        before = self._size()
        process = subprocess.Popen([str(word) for word in command], env=self._environment)
        while self._size() == before:
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(seconds)
        process.kill()
        process.wait()

    def _size(self) -> int:
        return self._ledger.stat().st_size if self._ledger.exists() else 0

    def numbers(self, what: str) -> set[int]:
        found: set[int] = set()
        for line in self._ledger.read_text().splitlines():
            word, start, stop, step = line.split()
            if word == what:
                found.update(range(int(start), int(stop), int(step)))
        return found

    def rejected(self) -> Counter[int]:
        lines = [path.read_text() for path in self.queue.glob("rejected.ndjson*")]
        readings = [json.loads(line)["reading"] for text in lines for line in text.splitlines()]
        return Counter(number_of(each["measured_at"]) for each in readings)


def number_of(measured_at: str) -> int:
    return calendar.timegm(time.strptime(measured_at, "%Y-%m-%dT%H:%M:%SZ")) - gateway.START


def stored(engine: Engine) -> Counter[int]:
    """How often each number is stored, each with the value it was added with."""
    query = "SELECT extract(epoch FROM measured_at)::bigint - :start, temperature_c FROM readings"
    found: Counter[int] = Counter()
    with engine.connect() as connection:
        for number, value in connection.execute(text(query), {"start": gateway.START}):
            assert value == number % 997 / 10
            found[number] += 1
    return found


def live_and_die(client: Gateway, service: Service) -> None:
    """So many lives. The service is killed as well now and then, and away for a while."""
    chance = random.Random(KILLS)
    away = False
    for _ in range(KILLS):
        client.live(chance.random() * LONGEST_LIFE_SECONDS)
        if away:
            service.start()
            away = False
        elif chance.random() < 0.25:
            service.kill()
            away = True
    if away:
        service.start()


@pytest.mark.timeout(120 + 5 * KILLS)
def test_a_client_killed_at_any_moment_loses_nothing_and_stores_nothing_twice(
    engine: Engine, wearwatch: Service, key: str, tmp_path: Path, capsys
) -> None:
    url = f"http://127.0.0.1:{wearwatch.port}"
    client = Gateway(url, key, tmp_path)
    live_and_die(client, wearwatch)
    before = sum(stored(engine).values())
    with Client(url, client.queue, key=key, backoff=Backoff(0.05, 0.5)) as last:
        waited = last.stats.waiting
        assert last.flush(60 + KILLS)
        assert last.stats.lost == 0

    with capsys.disabled():
        print(f"\n{KILLS} kills: {before} readings stored before the end, {waited} waited")
    assert waited
    check(client, stored(engine))


def check(client: Gateway, found: Counter[int]) -> None:
    """All that was added is stored or rejected, once; nothing else is but what was about to be added."""
    added, begun = client.numbers("added"), client.numbers("adding")
    wrong = {number for number in begun if number % gateway.WRONG_EVERY == 0}
    refused = client.rejected()
    assert len(added) > 20
    assert (added - wrong) - found.keys() == set()
    assert found.keys() - begun == set()
    assert (added & wrong) - refused.keys() == set()
    assert refused.keys() - wrong == set()
    assert set(found.values()) == set(refused.values()) == {1}


@pytest.mark.timeout(120 + 5 * KILLS)
def test_a_killed_client_keeps_its_word_on_a_line_that_is_cut_and_drops_answers(
    service: FakeService, tmp_path: Path
) -> None:
    troubles = [
        "cut",
        "store and cut",
        "half an answer",
        Refuse(503),
        Refuse(429, {"Retry-After": "0"}),
        Refuse(500),
    ]
    client, chance = Gateway(service.address, "ww_secret", tmp_path), random.Random(KILLS)
    for _ in range(KILLS // 2):
        service.script = chance.choices(troubles, k=50)
        client.live(chance.random() * LONGEST_LIFE_SECONDS)
    service.script = []
    with Client(service.address, client.queue, key="ww_secret") as last:
        assert last.flush(60)
    check(client, Counter(number_of(at) for _, at in service.stored.elements()))
