"""One HTTP connection, kept alive, as plain as it can be: the load must not cost more than what it loads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

# What an exchange may raise: the service, or the line to it, went away.
GONE = (OSError, EOFError)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Wire:
    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        # The loop closes the socket with its next turn.
        await asyncio.sleep(0)

    async def post(self, body: bytes) -> Answer:
        """Readings. Raises one of GONE when the connection breaks; the next call opens another."""
        return await self.send("POST", "/api/v1/readings", "application/json", body)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def send(self, method: str, path: str, content_type: str = "", body: bytes = b"") -> Answer:
        described = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if content_type else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\n{described}\r\n"
        )
        return await self.exchange(head.encode() + body)

    async def exchange(self, request: bytes) -> Answer:
        began = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            status, headers, body = await receive(reader)
        except BaseException:
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return Answer(status, headers, body, time.perf_counter() - began)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def receive(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split(" ")[1]), headers, body
