"""R10: a thousand connections that say a byte a second, beside an honest sender who must not feel them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random

import pytest

from tests.faults.batches import Batches
from tests.faults.form import PATIENCE, many
from tests.faults.wire import GONE, Wire

CONNECTIONS = many("SLOW_CONNECTIONS", 200, 1000)
SECONDS = many("SLOW_SECONDS", 10, 120)
BATCHES = Batches(rows=20)
PAUSE_SECONDS = 0.02
# Below this a ratio of two times says more about the other programs on the machine than about us.
FLOOR_SECONDS = 0.05


async def slow(port: int, key: str, chance: random.Random) -> None:
    """Head or body, a byte a second, or nothing at all; when it is cut, again from the start."""
    head = f"POST /api/v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode()
    begun = [b"", head, head + b"Content-Length: 100000\r\n\r\n"]
    while True:
        with contextlib.suppress(*GONE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                kind = chance.randrange(3)
                writer.write(begun[kind])
                while kind and not reader.at_eof():
                    await asyncio.sleep(1)
                    writer.write(b" " if kind == 2 else b"X")
                    await writer.drain()
                await reader.read()
            finally:
                writer.transport.abort()
                await asyncio.sleep(0)
        await asyncio.sleep(1)


async def honest(port: int, key: str, numbers, seconds: float) -> list[float]:
    """How long each batch took, for so many seconds."""
    took = []
    with contextlib.suppress(TimeoutError):
        async with Wire(port, key) as wire, asyncio.timeout(seconds):
            for number in numbers:
                answer = await wire.post(BATCHES.body(number))
                assert answer.status == 200, answer.body
                took.append(answer.seconds)
                await asyncio.sleep(PAUSE_SECONDS)
    return took


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


@pytest.mark.timeout(120 + 3 * SECONDS)
def test_an_honest_sender_does_not_feel_a_crowd_of_slow_ones(engine, key, serve, figures):
    service, numbers, chance = serve(engine), itertools.count(), random.Random(10)

    async def beside() -> tuple[list[float], list[float], float]:
        await honest(service.port, key, numbers, 1)
        before = await honest(service.port, key, numbers, SECONDS / 2)
        crowd = [asyncio.create_task(slow(service.port, key, chance)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(1)
        with_them, memory = await honest(service.port, key, numbers, SECONDS), service.memory_mib()
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return before + await honest(service.port, key, numbers, SECONDS / 2), with_them, memory

    alone, crowded, memory = asyncio.run(beside())
    figures(
        "R10",
        f"{CONNECTIONS} slow connections, {SECONDS} s",
        p99_alone_ms=1000 * p99(alone),
        p99_beside_them_ms=1000 * p99(crowded),
        mib=memory,
    )
    assert p99(crowded) <= max(2 * p99(alone), FLOOR_SECONDS) * PATIENCE
