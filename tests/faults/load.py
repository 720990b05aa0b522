"""Senders that post one batch after the other, each noted in the ledger before and after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.faults.batches import Batches
from tests.faults.ledger import Ledger
from tests.faults.wire import GONE, Answer, Wire

# A sender that is refused waits a little; far less than it is told, so that the next fault finds it at work.
PAUSE_SECONDS = 0.1


class Seen(NamedTuple):
    """`answer` is None where the connection broke."""

    at: float
    batch: int
    answer: Answer | None


class Load:
    """`connections` senders, from `async with` on until its end; `seen` holds every answer in order of arrival."""

    def __init__(
        self, port: int, key: str, ledger: Ledger, numbers: Iterator[int], batches: Batches, connections: int
    ) -> None:
        self._ledger, self._numbers, self._batches = ledger, numbers, batches
        self._wires = [Wire(port, key) for _ in range(connections)]
        self._tasks: list[asyncio.Task[None]] = []
        self.in_flight = 0
        self.seen: list[Seen] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._send(wire)) for wire in self._wires]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires:
            await wire.__aexit__()
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise error or AssertionError("a sender ended by itself")

    async def _send(self, wire: Wire) -> None:
        for batch in self._numbers:
            body = self._batches.body(batch)
            await self._ledger.sending(batch)
            answer = await self._answer(wire, body)
            self.seen.append(Seen(time.monotonic(), batch, answer))
            if answer is not None:
                await self._ledger.answered(batch, answer.status)
            if answer is None or answer.status != 200:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _answer(self, wire: Wire, body: bytes) -> Answer | None:
        self.in_flight += 1
        try:
            return await wire.post(body)
        except GONE:
            return None
        finally:
            self.in_flight -= 1

    async def wait_for(self, wanted: Callable[[Seen], bool], most_seconds: float) -> float:
        """Seconds until such an answer arrives. Raises TimeoutError."""
        began, looked_at = time.monotonic(), len(self.seen)
        async with asyncio.timeout(most_seconds):
            while not any(map(wanted, self.seen[looked_at:])):
                looked_at = len(self.seen)
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def wait_for_acknowledgement(self, most_seconds: float) -> float:
        """Seconds until the next batch is acknowledged."""
        return await self.wait_for(acknowledged, most_seconds)


def acknowledged(seen: Seen) -> bool:
    return seen.answer is not None and seen.answer.status == 200
