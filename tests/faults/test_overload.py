"""R10: four times more readings than can be stored: what can be is stored, the others are told so at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter

import pytest

from tests.faults.batches import Batches
from tests.faults.checker import KEPT, verdict
from tests.faults.flood import Flood
from tests.faults.form import PATIENCE, many
from tests.faults.load import Load
from tests.faults.wire import Answer

SECONDS = many("OVERLOAD_SECONDS", 6, 60)
BATCHES = Batches(rows=500)
CONNECTIONS = 16
TIMES_CAPACITY = 4
GOODPUT = 0.9
# Of the refusals; single ones may wait behind a large body that is being read.
REFUSED_WITHIN_SECONDS = 0.1


@pytest.mark.timeout(120 + 5 * SECONDS)
def test_overload_is_refused_at_once_and_what_can_be_stored_is(engine, key, serve, ledger, figures):
    service, numbers = serve(engine), itertools.count()

    async def capacity() -> float:
        """Batches a second when each sender waits for its answer."""
        async with Load(service.port, key, ledger, numbers, BATCHES, CONNECTIONS) as load:
            await asyncio.sleep(1)
            before = len(load.seen)
            await asyncio.sleep(SECONDS / 2)
            return (len(load.seen) - before) / (SECONDS / 2)

    async def overload() -> tuple[float, float, list[Answer | None]]:
        reached = await capacity()
        flood, began = Flood(service.port, key, ledger, numbers, BATCHES), time.monotonic()
        await flood.run(TIMES_CAPACITY * reached, SECONDS)
        return reached, time.monotonic() - began, flood.answers

    reached, took, answers = asyncio.run(overload())
    statuses = Counter(answer and answer.status for answer in answers)
    refused = sorted(answer.seconds for answer in answers if answer and answer.status != 200)
    figures(
        "R10",
        f"{TIMES_CAPACITY} x capacity for {SECONDS} s",
        batches_a_second=reached,
        statuses=dict(statuses),
        goodput=statuses[200] / took / reached,
        refused_p50_ms=1000 * refused[len(refused) // 2],
        refused_p99_ms=1000 * refused[len(refused) * 99 // 100],
        mib=service.memory_mib(),
    )
    assert verdict(engine, ledger.known(), BATCHES) == KEPT
    assert set(statuses) <= {200, 429, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status != 200)
    # The sender writes its ledger and bodies on the same cores: on a busy machine it measures itself.
    if PATIENCE == 1:
        assert refused[len(refused) // 2] <= REFUSED_WITHIN_SECONDS
    assert statuses[200] / took >= GOODPUT * reached / PATIENCE
