"""R1: the service killed with batches in flight: what was acknowledged is there once, nothing is half there."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics

import pytest

from tests.faults.batches import Batches
from tests.faults.checker import KEPT, verdict
from tests.faults.form import PATIENCE, many
from tests.faults.load import Load

KILLS = many("KILLS", 10, 200)
IN_FLIGHT = many("IN_FLIGHT", 100, 1000)
BATCHES = Batches(rows=10, machines=2_000)
READY_SECONDS = 5


@pytest.mark.timeout(120 + 30 * KILLS)
def test_a_killed_service_loses_no_acknowledged_reading_and_leaves_no_half_batch(
    engine, key, serve, ledger, figures
):
    service = serve(engine)
    numbers, chance = itertools.count(), random.Random(1)
    ready, flying = [], []

    async def kill_once() -> None:
        async with Load(service.port, key, ledger, numbers, BATCHES, IN_FLIGHT) as load:
            await load.wait_for_acknowledgement(30)
            await asyncio.sleep(chance.random() / 2)
            flying.append(load.in_flight)
            service.kill()

    for _ in range(KILLS):
        asyncio.run(kill_once())
        ready.append(service.start())
    known = ledger.known()
    figures(
        "R1",
        f"killed {KILLS} times",
        in_flight=statistics.median(flying),
        acknowledged=len(known.acknowledged),
        unknown=len(known.unknown),
        ready_median_s=statistics.median(ready),
        ready_most_s=max(ready),
    )
    assert verdict(engine, known, BATCHES) == KEPT
    assert statistics.median(flying) > IN_FLIGHT / 10, "little was in flight when the service was killed"
    assert len(known.acknowledged) > 10 * KILLS
    assert statistics.median(ready) <= READY_SECONDS * PATIENCE
