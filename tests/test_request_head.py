"""A request's head is bounded in time and size; what comes within the bounds is served as ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest
import uvicorn

from app import request_head
from app.request_head import BoundedHead

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
GOOD = HEAD + b"Content-Length: 3\r\n\r\nabc"


async def echo(scope, receive, send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope, receive, send) -> None:
    """Without reading the body."""
    await send({"type": "http.response.start", "status": 429, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def talk(monkeypatch):
    """`talk(one, 0.2, two)`: the answer to these bytes and pauses, until it closes or a second has passed."""
    monkeypatch.setattr(request_head, "MOST_HEAD_SECONDS", 0.4)

    async def served(app: Callable, script: tuple[bytes | float, ...]) -> tuple[bytes, bool]:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            config = uvicorn.Config(app, http=BoundedHead, lifespan="off", log_config=None, timeout_keep_alive=9)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listening]))
            while not server.started:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            try:
                return await converse(reader, writer, script)
            finally:
                writer.transport.abort()
                server.should_exit = True
                await serving

    return lambda *script, app=echo: asyncio.run(served(app, script))


async def converse(reader, writer, script) -> tuple[bytes, bool]:
    answer = b""
    with contextlib.suppress(ConnectionError):
        for part in script:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.sleep(part)
    try:
        async with asyncio.timeout(1):
            while part := await reader.read(1 << 16):
                answer += part
    except TimeoutError:
        return answer, False
    except ConnectionError:
        pass
    return answer, True


def test_requests_within_the_bounds_are_answered_and_the_connection_stays(talk: Callable):
    answer, closed = talk(GOOD, 0.6, GOOD[:9], 0.2, GOOD[9:])
    assert (answer.count(b"200 OK"), answer.count(b"abc"), closed) == (2, 2, False)


def test_a_body_has_more_time_and_room_than_a_head(talk):
    body = bytes(request_head.MOST_HEAD_BYTES * 3)
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    answer, closed = talk(head, 0.6, body[:100_000], 0.6, body[100_000:])
    assert (answer.count(b"200 OK"), len(answer) > len(body), closed) == (1, True, False)


@pytest.mark.parametrize("begun", [b"", b"POST / HT", HEAD])
def test_a_head_that_does_not_end_in_time_is_refused(talk, begun):
    answer, closed = talk(begun)
    assert (answer.split(b"\r\n")[0], closed) == (b"HTTP/1.1 408 Request Timeout", True)


def test_a_second_head_has_as_long_from_its_first_byte(talk):
    answer, closed = talk(GOOD, HEAD, 0.3, b"X-A: 1\r\n")
    assert (answer.count(b"200 OK"), answer.count(b"408"), closed) == (1, 1, True)


@pytest.mark.parametrize("start", [b"GET /", HEAD + b"X-A: ", HEAD + b"X-"])
def test_a_head_without_end_is_refused_long_before_it_fills_the_memory(talk, start):
    answer, closed = talk(start, *[b"a" * 10_000] * 20)
    assert closed
    assert b"200 OK" not in answer


@pytest.mark.parametrize("endless", [b"5;x=", b"0\r\nX-A: "])
def test_what_lies_between_and_behind_chunks_is_bounded_too(talk, endless):
    answer, closed = talk(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + endless, *[b"a" * 10_000] * 20)
    assert closed
    assert b"200 OK" not in answer


def test_who_was_answered_before_the_end_of_its_body_may_finish_it_and_go_on(talk):
    answer, closed = talk(GOOD[:-1], 0.2, GOOD[-1:], 0.6, GOOD, app=refuse)
    assert (answer.count(b"429"), closed) == (2, False)


def test_who_was_answered_and_never_ends_its_body_is_cut(talk):
    answer, closed = talk(HEAD + b"Content-Length: 100\r\n\r\n", *[b"a", 0.1] * 3, app=refuse)
    assert (answer.count(b"429"), closed) == (1, True)


def test_trailers_are_no_headers(talk):
    answer, _ = talk(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: 1\r\n\r\n")
    assert answer.endswith(b"abc")
