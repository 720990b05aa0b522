"""R2: PostgreSQL killed, stopped, frozen, restarted under load: 200 or 503, and the service goes on by itself."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter

import pytest

from tests.faults.batches import Batches
from tests.faults.checker import KEPT, verdict
from tests.faults.conftest import make_key
from tests.faults.form import PATIENCE, many
from tests.faults.load import Load

TIMES = many("DATABASE_FAULTS", 6, 60)
SENDERS = many("DATABASE_SENDERS", 20, 100)
BATCHES = Batches(rows=10)
RESUMES_SECONDS = 10


async def kill(cluster, away: float) -> None:
    await down(cluster, cluster.kill, away)


async def quit_at_once(cluster, away: float) -> None:
    await down(cluster, cluster.quit, away)


async def stop(cluster, away: float) -> None:
    await down(cluster, cluster.stop, away)


async def restart(cluster, away: float) -> None:
    await down(cluster, cluster.stop, 0)


async def kill_a_session(cluster, away: float) -> None:
    cluster.kill_a_session()


async def freeze(cluster, away: float) -> None:
    cluster.freeze()
    await asyncio.sleep(away)
    cluster.thaw()


async def down(cluster, end, away: float) -> None:
    await asyncio.to_thread(end)
    await asyncio.sleep(away)
    await asyncio.to_thread(cluster.start)


FAULTS = (kill, stop, restart, kill_a_session, freeze, quit_at_once)


@pytest.mark.timeout(120 + 20 * TIMES)
def test_a_database_that_goes_away_costs_no_acknowledged_reading_and_no_restart_of_ours(
    cluster, serve, ledger, figures
):
    key, service = make_key(cluster.engine), serve(cluster.engine)
    chance, resumed = random.Random(2), {}

    async def faults() -> Load:
        async with Load(service.port, key, ledger, itertools.count(), BATCHES, SENDERS) as load:
            for number, fault in zip(range(TIMES), itertools.cycle(FAULTS), strict=False):
                await load.wait_for_acknowledgement(30)
                await asyncio.sleep(chance.random() / 2)
                await fault(cluster, away=0.2 + 2 * chance.random())
                resumed[number, fault.__name__] = await load.wait_for_acknowledgement(30)
        return load

    load = asyncio.run(faults())
    known, statuses = ledger.known(), Counter(seen.answer and seen.answer.status for seen in load.seen)
    figures(
        "R2",
        f"database away {TIMES} times",
        statuses=dict(statuses),
        acknowledged=len(known.acknowledged),
        unknown=len(known.unknown),
        resumed_most_s=max(resumed.values()),
    )
    assert verdict(cluster.engine, known, BATCHES) == KEPT
    assert set(statuses) == {200, 503}
    assert all("retry-after" in seen.answer.headers for seen in load.seen if seen.answer.status == 503)
    assert max(resumed.values()) <= RESUMES_SECONDS * PATIENCE
