"""R4: every batch sent three times at once through two services, answers dropped: each reading is there once."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.faults.batches import Batches
from tests.faults.checker import KEPT, verdict
from tests.faults.form import many
from tests.faults.wire import GONE, Wire

READINGS = many("SENT_READINGS", 50_000, 1_000_000)
BATCHES = Batches(rows=200)
SENDERS = 6
SHARE_DROPPED = 0.15
TIMES = 3


class Sender:
    """Sends its batches three times at once until an answer came back, and counts what the answers say."""

    def __init__(self, ports: list[int], key: str, ledger, chance: random.Random) -> None:
        self._wires = [Wire(ports[number % len(ports)], key) for number in range(TIMES)]
        self._ledger, self._chance = ledger, chance
        self.told: Counter[str] = Counter()
        self.dropped = 0

    async def send(self, batches: Iterator[int]) -> None:
        for batch in batches:
            await self._ledger.sending(batch)
            answers: list[dict[str, int] | None] = [None]
            while None in answers:
                answers = await asyncio.gather(*(self._post(wire, BATCHES.body(batch)) for wire in self._wires))
                if all(answers):
                    self._check(answers)
            await self._ledger.answered(batch, 200)
        for wire in self._wires:
            await wire.__aexit__()

    async def _post(self, wire: Wire, body: bytes) -> dict[str, int] | None:
        """The counts of the answer, None where it was dropped: the sender leaves at some moment before it."""
        if self._chance.random() < SHARE_DROPPED:
            self.dropped += 1
            task = asyncio.create_task(wire.post(body))
            await asyncio.sleep(self._chance.random() / 20)
            wire.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        try:
            answer = await wire.post(body)
        except GONE:
            return None
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def _check(self, answers: list[dict[str, int]]) -> None:
        """Of three answers to the same batch at most one says of each row that it was new."""
        counts = Counter({name: sum(answer[name] for answer in answers) for name in ("accepted", "duplicates")})
        assert counts["accepted"] in (0, BATCHES.rows), counts
        assert counts.total() == TIMES * BATCHES.rows, counts
        self.told += counts


@pytest.mark.timeout(120 + READINGS // 1000)
def test_a_batch_sent_three_times_at_once_is_stored_once(engine, key, serve, ledger, figures):
    ports = [serve(engine).port for _ in range(2)]
    numbers = iter(range(READINGS // BATCHES.rows))
    senders = [Sender(ports, key, ledger, random.Random(seed)) for seed in range(SENDERS)]

    async def send_all() -> None:
        await asyncio.gather(*(sender.send(numbers) for sender in senders))

    asyncio.run(send_all())
    told = sum((sender.told for sender in senders), Counter())
    with engine.connect() as connection:
        stored = connection.scalar(text("SELECT count(*) FROM readings"))
    figures(
        "R4",
        f"{READINGS} readings sent three times",
        stored=stored,
        told=dict(told),
        dropped=sum(sender.dropped for sender in senders),
    )
    assert stored == READINGS
    assert verdict(engine, ledger.known(), BATCHES) == KEPT
    assert told["accepted"] <= READINGS
