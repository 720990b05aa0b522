"""Ordinary requests of the busiest routes, answered where their bytes arrive: without ASGI, a task or a thread.

What is out of the ordinary goes the long way, through the application: a credential not seen a moment ago, a body
in gzip, in chunks, or too large to be read at once. Refusals are the application's own problem documents on both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol

import structlog
from fastapi import Request, Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.direct import HEADERS
from app.logs import count, name_request, new_name, record

log = structlog.get_logger(__name__)

# The key under which the application hands its short ways to the protocol.
STATE = "short_ways"
ORDINARY = frozenset({b"authorization", b"content-type", b"content-length"})
# What is counted for a sender that went away in the middle of its body.
GONE = 400
OUT_OF_THE_ORDINARY = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"upgrade"})


class Arrival(Protocol):
    """A request that was let in."""

    actor: str

    def take(self, chunk: bytes) -> None:
        """A piece of the body. Raises WearwatchError where a bound is passed."""

    def whole(self, content_type: str, tell: Callable[[Any], None]) -> None:
        """The body is there. `tell` hears what `answer` takes, or an exception; or WearwatchError is raised."""

    def gave_up(self) -> None:
        """The sender is gone; before the body was whole, or later."""


@dataclass(frozen=True)
class ShortWay:
    """A route's offer to ordinary requests.

    admit: (key, length of the body) -> the request let in, None to send it the long way; raises WearwatchError
    to refuse it before its body is read. answer: the result -> JSON. refuse: any error -> the answer that says so.
    """

    method: str
    path: str
    seconds_to_arrive: float
    admit: Callable[[str, int], Arrival | None]
    answer: Callable[[Any], bytes]
    refuse: Callable[[Request, Exception], Response]


class ShortCycle:
    """A request under way, with what uvicorn asks of one."""

    __slots__ = (
        "arrival",
        "begun_at",
        "content_type",
        "disconnected",
        "keep_alive",
        "more_body",
        "name",
        "response_complete",
        "scope",
        "way",
    )
    message_event = SimpleNamespace(set=lambda: None)

    def __init__(self, way: ShortWay, scope: Mapping[str, Any], content_type: bytes, *, keep_alive: bool) -> None:
        self.way = way
        self.scope = scope
        # Drawn where it is first needed: a line of the log, or the answer.
        self.name = ""
        self.content_type = content_type.decode("latin-1")
        self.keep_alive = keep_alive
        self.arrival: Arrival | None = None
        self.begun_at = time.perf_counter()
        self.disconnected = self.response_complete = False
        self.more_body = True


class ShortWays(HttpToolsProtocol):
    """uvicorn's protocol with short ways; which there are, the application's state says."""

    _body_deadline: asyncio.TimerHandle | None = None

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._ways: Mapping[tuple[bytes, bytes], ShortWay] = app_state.get(STATE, {})

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_body_deadline()
        cycle: Any = self.cycle
        if type(cycle) is ShortCycle and cycle.arrival:
            cycle.arrival.gave_up()
            if cycle.more_body and not cycle.response_complete:
                count(cycle.way.method, cycle.way.path, GONE, time.perf_counter() - cycle.begun_at)

    def send_400_response(self, msg: str) -> None:
        """For what cannot be parsed. Behind a whole request that waits for its answer it would be taken for it."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: Any = self.cycle
        if type(cycle) is ShortCycle and cycle.more_body and not (cycle.response_complete or self._body_deadline):
            self._body_deadline = self.loop.call_later(cycle.way.seconds_to_arrive, self._body_too_late, cycle)

    def on_headers_complete(self) -> None:
        cycle = self._short_cycle()
        if cycle is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        cycle: Any = self.cycle
        if type(cycle) is not ShortCycle:
            super().on_body(body)
        elif cycle.arrival and not cycle.response_complete:
            try:
                cycle.arrival.take(body)
            except Exception as error:  # noqa: BLE001  whatever it is, the sender is told
                self._refuse_short(cycle, error)

    def on_message_complete(self) -> None:
        cycle: Any = self.cycle
        if type(cycle) is not ShortCycle:
            super().on_message_complete()
            return
        cycle.more_body = False
        self._stop_body_deadline()
        if cycle.response_complete:
            # It was answered before its end, and the pieces that came since have stopped the clock.
            self._unset_keepalive_if_required()
            handler = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, handler)
        elif cycle.arrival:
            try:
                cycle.arrival.whole(cycle.content_type, partial(self._answered, cycle))
            except Exception as error:  # noqa: BLE001
                self._refuse_short(cycle, error)

    def _short_cycle(self) -> ShortCycle | None:
        """Of the request whose head is complete, where it is ordinary and let in; refused ones are answered too."""
        way = self._ways.get((self.parser.get_method(), self.url))
        if way is None or self.pipeline or not (self.cycle is None or self.cycle.response_complete):
            return None
        if self.flow.write_paused:
            # Who does not read its answers is waited for, on the long way, before more of them are made.
            return None
        named = ordinary(self.headers)
        if named is None or self.parser.get_http_version() != "1.1":
            return None
        key, length, content_type = named
        cycle = ShortCycle(way, self.scope, content_type, keep_alive=self.parser.should_keep_alive())
        try:
            cycle.arrival = way.admit(key, length)
        except Exception as error:  # noqa: BLE001
            self.cycle = cycle  # type: ignore[assignment]
            self._refuse_short(cycle, error)
            return cycle
        if cycle.arrival is None:
            return None
        self.cycle = cycle  # type: ignore[assignment]
        return cycle

    def _answered(self, cycle: ShortCycle, found: Any) -> None:
        if isinstance(found, Exception):
            self._refuse_short(cycle, found)
            return
        try:
            body = cycle.way.answer(found)
        except Exception as error:  # noqa: BLE001
            self._refuse_short(cycle, error)
        else:
            self._send_short(cycle, STATUS_LINE[200], JSON, body)
            count(cycle.way.method, cycle.way.path, 200, time.perf_counter() - cycle.begun_at)

    def _refuse_short(self, cycle: ShortCycle, error: Exception) -> None:
        """In a context of its own, so that the lines of the log carry this request's name."""
        Context().run(self._refuse_named, cycle, error)

    def _refuse_named(self, cycle: ShortCycle, error: Exception) -> None:
        cycle.name = name_request()
        way, state = cycle.way, {"actor": cycle.arrival.actor if cycle.arrival else None}
        told = {"method": way.method, "path": way.path, "query_string": b"", "route": way, "state": state}
        scope = {**cycle.scope, **told}
        answer = way.refuse(Request(scope), error)
        record(scope, answer.status_code, time.perf_counter() - cycle.begun_at)
        if cycle.arrival:
            cycle.arrival.gave_up()
        head = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers if header[0] != b"content-length")
        self._send_short(cycle, STATUS_LINE[answer.status_code], head + EVERY_ANSWER, bytes(answer.body))

    def _send_short(self, cycle: ShortCycle, status: bytes, head: bytes, body: bytes) -> None:
        if cycle.response_complete:
            return
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        default = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        rest = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.transport.write_whole(  # type: ignore[attr-defined]  # Joined
            b"%b%b%bx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n%b"
            % (status, default, head, (cycle.name or new_name()).encode(), rest, len(body), body)
        )
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _body_too_late(self, cycle: ShortCycle) -> None:
        self._body_deadline = None
        if not cycle.response_complete:
            self._refuse_short(cycle, TimeoutError())

    def _stop_body_deadline(self) -> None:
        if self._body_deadline is not None:
            self._body_deadline.cancel()
            self._body_deadline = None


EVERY_ANSWER = b"".join(b"%b: %b\r\n" % header for header in HEADERS)
JSON = b"content-type: application/json\r\n" + EVERY_ANSWER


def ordinary(headers: list[tuple[bytes, bytes]]) -> tuple[str, int, bytes] | None:
    """Key, length of the body and content type of a request that is nothing special. Pure."""
    named: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in ORDINARY:
            named.setdefault(name, value)
        elif name in OUT_OF_THE_ORDINARY:
            return None
    scheme, _, key = named.get(b"authorization", b"").partition(b" ")
    length = named.get(b"content-length", b"")
    if scheme.lower() != b"bearer" or not key or not length.isdigit():
        return None
    return key.strip().decode("latin-1"), int(length), named.get(b"content-type", b"")
