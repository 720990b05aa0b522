"""Requests at a rate, whether or not answers come; the sender costs next to nothing beside what it loads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from tests.faults.batches import Batches
from tests.faults.ledger import Ledger
from tests.faults.wire import Answer

TICK_SECONDS = 0.005
# For the last answers, once nothing is sent any more.
PATIENCE_SECONDS = 30


class Flood:
    """Each batch goes on a connection that is free, or on a new one. An answer is None where that broke."""

    def __init__(self, port: int, key: str, ledger: Ledger, numbers: Iterator[int], batches: Batches) -> None:
        self.answers: list[Answer | None] = []
        self.free: list[Connection] = []
        self._port, self._ledger, self._numbers, self._batches = port, ledger, numbers, batches
        self._head = (
            f"POST /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._all: list[Connection] = []
        self._sent = 0
        self._unwritten: list[tuple[int, int]] = []

    async def run(self, a_second: float, seconds: float) -> None:
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            await self._send([next(self._numbers) for _ in range(int(now * a_second) - self._sent)])
            await asyncio.sleep(TICK_SECONDS)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.answers) < self._sent:
                await asyncio.sleep(TICK_SECONDS)
        await self._write([])
        for connection in self._all:
            connection.close()
        await asyncio.sleep(TICK_SECONDS)

    async def _send(self, batches: list[int]) -> None:
        await self._write([(batch, 0) for batch in batches])
        for batch in batches:
            connection = self.free.pop() if self.free else await self._another()
            body = self._batches.body(batch)
            connection.send(batch, b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            self._sent += 1

    async def _write(self, sending: list[tuple[int, int]]) -> None:
        entries, self._unwritten = [*self._unwritten, *sending], []
        await self._ledger.write(entries)

    async def _another(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        self._all.append(connection)
        return connection

    def heard(self, batch: int, answer: Answer | None) -> None:
        self.answers.append(answer)
        if answer:
            self._unwritten.append((batch, answer.status))


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._transport: asyncio.Transport | None = None
        self._batch: int | None = None
        self._began, self._answer = 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, batch: int, request: bytes) -> None:
        assert self._transport
        self._batch, self._began, self._answer = batch, time.perf_counter(), b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or self._batch is None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(body) < int(headers.get("content-length", "0")):
            return
        batch, self._batch = self._batch, None
        answer = Answer(int(first.split(" ")[1]), headers, body, time.perf_counter() - self._began)
        if headers.get("connection") != "close":
            self._flood.free.append(self)
        self._flood.heard(batch, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._flood.free:
            self._flood.free.remove(self)
        if self._batch is not None:
            batch, self._batch = self._batch, None
            self._flood.heard(batch, None)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()
