"""The bounds that uvicorn leaves out: how long and how large the head of a request may be."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from app.answers_joined import Joined
from app.short_way import ShortWays

# Whoever opens a connection has this long to say what it wants, and each later request as long from its first byte.
MOST_HEAD_SECONDS = 20.0
# Browsers and proxies stay far below; the parser itself keeps whatever it has not yet understood, without a bound.
MOST_HEAD_BYTES = 64 << 10


class BoundedHead(ShortWays):
    """Also bounds what else is no body: trailers after the last chunk, and what may follow a chunk's size."""

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _not_understood = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Joined(transport, self.loop))  # type: ignore[arg-type]  # as far as uvicorn asks
        self._deadline = self.loop.call_later(MOST_HEAD_SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._not_understood += len(data)
        super().data_received(data)
        if self._not_understood > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._in_head and self._deadline is None:
            self._deadline = self.loop.call_later(MOST_HEAD_SECONDS, self._too_late)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._not_understood = 0
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._not_understood = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Who was answered before the end of the body may send the rest, to hear the answer; but not for ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and self._deadline is None:
            self._deadline = self.loop.call_later(MOST_HEAD_SECONDS, self._too_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Only where no answer is under way; a half answer and another behind it would be taken for one."""
        transport: Any = self.transport
        if not transport.is_closing():
            if self._in_head and (self.cycle is None or self.cycle.response_complete):
                transport.write(
                    f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
                )
            transport.close()
