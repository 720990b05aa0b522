"""R3: the data folder's disk fills up under load: no false success, reads go on, writes too when there is room."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import OperationalError

from app.database import make_engine
from tests.faults.batches import Batches
from tests.faults.checker import KEPT, verdict
from tests.faults.form import PATIENCE, many
from tests.faults.load import Load
from tests.faults.service import Service
from tests.faults.small_disk import SmallDisk, small_disk
from tests.faults.wire import Wire

TIMES = many("DISK_FAULTS", 4, 20)
BATCHES = Batches(rows=50)
SENDERS = 20
DISK_MIB = 256
RESUMES_SECONDS = 10
READS = ("/api/v1/machines", "/api/v1/machines/m-1/readings", "/api/v1/readings/rejected")


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """Not in `tmp_path`: the path of a Unix socket on it may have 107 bytes."""
    with TemporaryDirectory(prefix="ww-") as folder, small_disk(Path(folder), DISK_MIB) as disk:
        if disk is None:
            pytest.skip("neither root nor a user namespace may mount a small disk here")
        yield disk


@pytest.fixture
def service(disk) -> Iterator[Service]:
    """With its embedded PostgreSQL on the small disk."""
    service = Service(disk.folder / "data", inside=disk.inside)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def engine(disk, service) -> Iterator[Engine]:
    """That PostgreSQL, seen from outside the disk's namespace."""
    told = (disk.seen_at / "data/postgres/postmaster.pid").read_text().splitlines()[4]
    host = f"{disk.seen_at}{told.removeprefix(str(disk.folder))}"
    engine = make_engine(URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": host}))
    yield engine
    engine.dispose()


def use_up_the_log(engine: Engine) -> None:
    """Until PostgreSQL needs room for its log; without any it ends, whatever it was doing."""
    with suppress(OperationalError):
        while True:
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_switch_wal(), pg_logical_emit_message(false, '', 'x')"))


@pytest.mark.timeout(120 + 30 * TIMES)
def test_a_full_disk_is_said_and_survived(disk, service, engine, ledger, figures):
    key = service.run("keys", "create", "gateway", "--role", "admin", "--may-register-machines").strip()
    chance, refused, reads, resumed = random.Random(3), Counter(), Counter(), []

    async def fill_once(load: Load, reader: Wire, number: int) -> None:
        await load.wait_for_acknowledgement(30)
        await asyncio.sleep(chance.random())
        disk.fill()
        before = len(load.seen)
        if number % 4 == 3:
            await asyncio.to_thread(use_up_the_log, engine)
        await load.wait_for(lambda seen: seen.answer.status != 200, 30)
        if number % 4 != 3:
            reads.update([(await reader.get(path)).status for path in READS])
        await asyncio.sleep(0.5)
        disk.free()
        resumed.append(await load.wait_for_acknowledgement(30))
        refused.update(seen.answer.status for seen in load.seen[before:])

    async def fill_often() -> Load:
        async with (
            Load(service.port, key, ledger, itertools.count(), BATCHES, SENDERS) as load,
            Wire(service.port, key) as reader,
        ):
            for number in range(TIMES):
                await fill_once(load, reader, number)
        return load

    load = asyncio.run(fill_often())
    known = ledger.known()
    figures(
        "R3",
        f"disk full {TIMES} times",
        statuses_while_full=dict(refused),
        reads=dict(reads),
        acknowledged=len(known.acknowledged),
        resumed_most_s=max(resumed),
    )
    assert verdict(engine, known, BATCHES) == KEPT
    assert set(refused) == {200, 503, 507}
    assert set(reads) == {200}
    assert all("detail" in str(seen.answer.body) for seen in load.seen if seen.answer.status != 200)
    assert all("retry-after" in seen.answer.headers for seen in load.seen if seen.answer.status != 200)
    assert max(resumed) <= RESUMES_SECONDS * PATIENCE
