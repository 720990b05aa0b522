"""The limits on a request's body, in size and in time, before any route reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem

# A slow factory link sends 16 MiB in half a minute; whoever needs longer holds a place that others need.
MOST_BODY_SECONDS = 60.0
# A machine, an event, a person: a page of text at most. It is read before anybody is asked who sends it.
MOST_DOCUMENT_BYTES = 256 << 10
# The connection is of no more use: the rest of the body is still on its way.
CLOSE = {"Connection": "close"}


class BodyLimit:
    """Refuses by the announced length at once, otherwise when the limit or the time has run out.

    Readings come on `bulk` paths, whose routes know their sender before they read, and refuse an announced length
    themselves, in the shape that their clients know; other bodies are documents.
    """

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int,
        most_seconds: float = MOST_BODY_SECONDS,
        bulk: Collection[str] = (),
    ) -> None:
        self.app = app
        self.most_bytes = most_bytes
        self.most_seconds = most_seconds
        self.bulk = frozenset(bulk)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_bulk = scope["path"] in self.bulk
        most_bytes = self.most_bytes if is_bulk else min(self.most_bytes, MOST_DOCUMENT_BYTES)
        if announced_length(scope) > most_bytes and not is_bulk:
            await problem(413, "Too large", _too_large(most_bytes), CLOSE)(scope, receive, send)
            return
        await self.app(scope, self._limited(receive, most_bytes), send)

    def _limited(self, receive: Receive, most_bytes: int) -> Receive:
        received = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + self.most_seconds

        async def limited() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "The request body did not arrive in time.", CLOSE) from error
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > most_bytes:
                raise HTTPException(413, _too_large(most_bytes), CLOSE)
            return message

        return limited


def _too_large(most_bytes: int) -> str:
    return f"A request body may have {most_bytes} bytes here."


def announced_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
