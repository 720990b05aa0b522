"""Ordinary requests are answered by the protocol; whatever is not ordinary reaches the application as ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
import uvicorn
from starlette.responses import Response

from app.request_head import BoundedHead
from app.short_way import STATE, ShortWay

HEAD = b"POST /short HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: text/plain\r\n"


def request(body: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Post:
    """Answers with its body, or does what the body says."""

    actor = "key test"

    def __init__(self, route: Route) -> None:
        self.route, self.body, self.held = route, b"", 1

    def take(self, chunk: bytes) -> None:
        self.body += chunk
        if b"too much" in self.body:
            raise ValueError("too much")

    def whole(self, content_type: str, tell) -> None:
        assert content_type == "text/plain"
        if b"unreadable" in self.body:
            raise ValueError("unreadable")
        self.gave_up()
        self.route.waiting.append(tell)
        if b"wait" not in self.body:
            failed = ValueError("failed") if b"to be failed" in self.body else None
            self.route.answer_all(failed or self.body)

    def gave_up(self) -> None:
        self.route.released += self.held
        self.held = 0


class Route:
    def __init__(self) -> None:
        self.waiting: list[Callable[[object], None]] = []
        self.released = 0
        self.refused: list[str] = []
        self.way = ShortWay("POST", "/short", 0.3, self.admit, self.answer, self.refuse)

    def admit(self, key: str, length: int) -> Post | None:
        if key == "busy":
            raise ValueError("busy")
        return Post(self) if key == "good" else None

    def answer(self, body: bytes) -> bytes:
        if body == b"unspeakable":
            raise ValueError("unspeakable")
        return b"short:" + body

    def refuse(self, request, error: Exception) -> Response:
        assert (request.method, request.url.path) == ("POST", "/short")
        self.refused.append(str(error) or type(error).__name__)
        return Response(f"refused:{self.refused[-1]}", 422)

    def answer_all(self, found: object) -> None:
        waiting, self.waiting = self.waiting, []
        for tell in waiting:
            tell(found)

    async def app(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            scope["state"][STATE] = {(b"POST", b"/short"): self.way}
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        body, more = b"long:", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


async def talk(route: Route, *script, then=None, seconds=0.8, **config) -> tuple[bytes, bool]:
    """What comes back for these bytes and pauses (or calls), and whether the connection was closed.

    A word in the script is waited for.
    """
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            route.app, http=BoundedHead, lifespan="on", interface="asgi3", log_config=None, **config
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        answer, closed = b"", False
        with contextlib.suppress(ConnectionError):
            for part in script:
                if callable(part):
                    part(server)
                elif isinstance(part, bytes):
                    writer.write(part)
                elif isinstance(part, str):
                    async with asyncio.timeout(seconds):
                        answer += await reader.readuntil(part.encode())
                else:
                    await asyncio.sleep(part)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while part := await reader.read(1 << 16):
                        answer += part
                    closed = True
        writer.transport.abort()
        if then:
            await asyncio.sleep(0.05)
            then()
            await asyncio.sleep(0.05)
        server.should_exit = True
        await serving
        return answer, closed


@pytest.fixture
def route():
    return Route()


def bodies(answer: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_ordinary_requests_are_answered_on_one_connection(route):
    answer, closed = asyncio.run(talk(route, request(b"one"), 0.1, request(b"two")))
    assert (bodies(answer), closed, route.released) == ([b"short:one", b"short:two"], False, 2)
    assert answer.count(b"x-content-type-options: nosniff") == answer.count(b"x-request-id: ") == 2
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_may_come_in_pieces(route):
    whole = request(b"in pieces")
    answer, _ = asyncio.run(talk(route, whole[:-6], 0.1, whole[-6:-3], 0.1, whole[-3:]))
    assert bodies(answer) == [b"short:in pieces"]


def test_requests_sent_without_waiting_are_answered_in_their_order(route):
    answer, _ = asyncio.run(
        talk(route, request(b"wait") + request(b"two"), 0.1, lambda _: route.answer_all(b"one"))
    )
    assert bodies(answer) == [b"short:one", b"long:two"]


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"/short", b"/short?a=1"),
        HEAD.replace(b"/short", b"/else"),
        HEAD.replace(b"POST", b"PUT"),
        HEAD.replace(b"good", b"unknown"),
        HEAD.replace(b"Bearer", b"Basic"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD + b"Content-Encoding: gzip\r\n",
    ],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way(route, head):
    answer, _ = asyncio.run(talk(route, request(b"a", head)))
    assert bodies(answer) == [b"long:a"]


def test_chunks_and_who_asks_first_go_the_long_way(route):
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer, _ = asyncio.run(talk(route, chunked))
    assert bodies(answer) == [b"long:abc"]
    answer, _ = asyncio.run(talk(route, HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 0.1, b"a"))
    assert b"100 Continue" in answer
    assert answer.endswith(b"long:a")


def test_who_is_refused_by_the_head_hears_it_before_the_body_is_sent(route):
    busy = request(b"", HEAD.replace(b"good", b"busy")).replace(b"Length: 0", b"Length: 4")
    answer, closed = asyncio.run(talk(route, busy, "refused:busy", b"body", request(b"next")))
    assert (bodies(answer), closed) == ([b"refused:busy", b"short:next"], False)


def test_who_was_refused_by_the_head_is_not_kept_for_ever(route):
    busy = request(b"", HEAD.replace(b"good", b"busy")).replace(b"Length: 0", b"Length: 4")
    script = (busy, "refused:busy", b"bo", 0.1, b"dy")
    _, closed = asyncio.run(talk(route, *script, seconds=2.5, timeout_keep_alive=1))
    assert closed


def test_what_cannot_be_parsed_is_no_answer_to_the_request_before_it(route):
    answer, closed = asyncio.run(talk(route, request(b"wait") + b"no HTTP at all\r\n\r\n"))
    assert (answer, closed) == (b"", True)


def test_who_does_not_read_its_answers_is_not_answered_without_end(route):
    taken = []
    route.way = replace(route.way, admit=lambda key, length: taken.append(1) or Post(route))
    asyncio.run(talk(route, *[request(b"a" * 20_000), 0.001] * 1200, seconds=0))
    assert 10 < sum(taken) < 800


@pytest.mark.parametrize("word", [b"too much", b"unreadable", b"unspeakable", b"failed"])
def test_whatever_goes_wrong_is_said_and_the_connection_goes_on(route, word):
    body = b"to be failed" if word == b"failed" else word
    answer, closed = asyncio.run(talk(route, request(body), 0.1, request(b"next")))
    assert (bodies(answer), closed) == ([b"refused:" + word, b"short:next"], False)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert route.released == 2


def test_a_body_that_does_not_arrive_in_time_is_refused(route):
    answer, _ = asyncio.run(talk(route, request(b"late")[:-1]))
    assert (bodies(answer), route.released) == ([b"refused:TimeoutError"], 1)


def test_who_wants_the_connection_closed_gets_its_answer_first(route):
    answer, closed = asyncio.run(talk(route, request(b"last", HEAD + b"Connection: close\r\n")))
    assert (bodies(answer), closed) == ([b"short:last"], True)
    assert b"connection: close" in answer


def test_a_client_that_is_gone_harms_nobody(route):
    asyncio.run(talk(route, request(b"wait"), seconds=0.1, then=lambda: route.answer_all(b"nobody hears it")))
    asyncio.run(talk(route, request(b"half")[:-2], seconds=0.1))
    assert (route.released, route.refused) == (2, [])


def test_a_service_that_stops_answers_what_it_has_taken(route):
    def stop(server) -> None:
        server.should_exit = True
        asyncio.get_running_loop().call_later(0.3, route.answer_all, b"still")

    answer, closed = asyncio.run(talk(route, request(b"wait"), 0.1, stop))
    assert (bodies(answer), closed) == ([b"short:still"], True)
