"""R9: bodies too large, bodies that lie about their length, bombs: refused at once, in little memory."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import text

from tests.faults.conftest import make_key
from tests.faults.form import PATIENCE, many
from tests.faults.service import Service
from tests.faults.wire import Wire, receive

CONNECTIONS = many("BOMB_CONNECTIONS", 20, 100)
# At once: long before the minute that a slow but honest body has.
AT_ONCE_SECONDS = 4 * PATIENCE
# What all bodies under way may take together, over what the service needs at rest.
MOST_MIB_MORE = 200
ONE = b'{"machine": "press-07", "measured_at": "2026-11-20T08:00:00Z", "temperature_c": 61.2}'
MIB = 1 << 20
EMPTY_MEMBER = gzip.compress(b"")


def chunked(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def bomb(mebibytes: int) -> bytes:
    """Zeros, a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mebibytes)) + packer.flush()


def sized(body: bytes, *more: str) -> bytes:
    return "\r\n".join([f"Content-Length: {len(body)}", *more, "", ""]).encode() + body


GZIP = "Content-Encoding: gzip"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# What is sent after the head, and the statuses that may answer it.
BODIES: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "announced larger than any disk": (lambda: b"Content-Length: 9999999999999\r\n\r\n", {413}),
    "announced larger than any number": (lambda: b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", {400, 413}),
    "announced a little too large": (lambda: b"Content-Length: 16777217\r\n\r\n" + ONE, {413}),
    "a negative length": (lambda: b"Content-Length: -1\r\n\r\n" + ONE, {400}),
    "a length in words": (lambda: b"Content-Length: many\r\n\r\n" + ONE, {400}),
    "a length in hex": (lambda: b"Content-Length: 0x10\r\n\r\n" + ONE, {400}),
    "a length in superscript": (lambda: b"Content-Length: \xb2\r\n\r\n" + ONE, {400}),
    "two lengths": (lambda: b"Content-Length: 10\r\nContent-Length: 90\r\n\r\n" + ONE, {400}),
    "a length and chunks": (lambda: sized(chunked([ONE]), "Transfer-Encoding: chunked"), {400}),
    "chunks without end": (lambda: CHUNKED + b"\r\n" + chunked([bytes(MIB)] * 17), {413}),
    "a chunk of no known size": (lambda: CHUNKED + b"\r\nzz\r\n" + ONE, {400}),
    "a chunk of monstrous size": (lambda: CHUNKED + b"\r\n" + b"f" * 30 + b"\r\n" + ONE, {400}),
    "a negative chunk": (lambda: CHUNKED + b"\r\n-5\r\n" + ONE, {400}),
    "a bomb": (lambda: sized(bomb(200), GZIP), {413}),
    "a bomb in chunks": (lambda: CHUNKED + GZIP.encode() + b"\r\n\r\n" + chunked([bomb(200)]), {413}),
    "a bomb in members": (lambda: sized(bomb(2) * 50, GZIP), {413}),
    "a bomb of empty members": (lambda: sized(EMPTY_MEMBER * (12 * MIB // len(EMPTY_MEMBER)), GZIP), {400, 413}),
    "a bomb in a bomb": (lambda: sized(gzip.compress(bomb(1000)), GZIP), {400}),
    "gzip that breaks off": (lambda: sized(gzip.compress(ONE)[:-9], GZIP), {400}),
    "gzip that breaks off in its head": (lambda: sized(b"\x1f\x8b\x08", GZIP), {400}),
    "gzip with a wrong sum": (lambda: sized(gzip.compress(ONE)[:-8] + bytes(8), GZIP), {400}),
    "gzip and then something": (lambda: sized(gzip.compress(ONE) + b"something", GZIP), {400}),
    "gzip that is none": (lambda: sized(ONE, GZIP), {400}),
    "gzip that is empty": (lambda: sized(b"", GZIP), {400}),
    "an encoding nobody knows": (lambda: sized(ONE, "Content-Encoding: br"), {400, 415}),
    "two encodings": (lambda: sized(gzip.compress(gzip.compress(ONE)), "Content-Encoding: gzip, gzip"), {400, 415}),
    "a header without end": (lambda: b"X-A: " + b"a" * (2 * MIB), {400, 431}),
    "headers without end": (lambda: b"X-A: a\r\n" * 200_000 + b"\r\n", {400, 431}),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(module_engine, tmp_path_factory):
    url = module_engine.url.render_as_string(hide_password=False)
    service = Service(tmp_path_factory.mktemp("bodies") / "data", DATABASE_URL=url)
    service.start()
    yield service
    service.kill()


@pytest.fixture(scope="module")
def key(module_engine):
    return make_key(module_engine)


def head(key: str, path: str = "/api/v1/readings") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    ).encode()


async def answer_to(port: int, request: bytes) -> int | None:
    """The status, None where the connection was cut without one: the sender was still writing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return (await receive(reader))[0]
    except (OSError, EOFError):
        return None
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize("what", BODIES)
def test_a_hostile_body_is_refused_at_once(service, key, what):
    make, allowed = BODIES[what]
    request, began = head(key) + make(), time.monotonic()
    before = service.memory_mib()
    status = asyncio.run(asyncio.wait_for(answer_to(service.port, request), AT_ONCE_SECONDS))
    assert status in allowed or (status is None and len(request) > MIB), status
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert service.memory_mib() < before + 100
    assert asyncio.run(answer_to(service.port, head(key) + sized(ONE))) == 200


async def held_back(port: int, key: str, body: bytes, done: asyncio.Event) -> int | None:
    """All of the body but its last byte, until `done`; the status if there is one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head(key) + body[:-1])
        answer, ended = asyncio.create_task(receive(reader)), asyncio.create_task(done.wait())
        await asyncio.wait([answer, ended], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not answer.done():
            answer.cancel()
        (seen,) = await asyncio.gather(answer, return_exceptions=True)
        return seen[0] if isinstance(seen, tuple) else None
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_many_large_bodies_at_once_take_bounded_memory_and_leave_room_for_others(service, key, packed, figures):
    body = sized(bomb(60), GZIP) if packed else sized(bytes(15 * MIB))

    async def hold() -> tuple[list[float], list[int], list[int | None]]:
        done, memory, honest = asyncio.Event(), [service.memory_mib()], []
        holders = [asyncio.create_task(held_back(service.port, key, body, done)) for _ in range(CONNECTIONS)]
        async with Wire(service.port, key) as wire:
            for _ in range(20):
                await asyncio.sleep(0.1)
                honest.append((await wire.post(ONE)).status)
                memory.append(service.memory_mib())
        done.set()
        return memory, honest, await asyncio.gather(*holders)

    memory, honest, statuses = asyncio.run(hold())
    figures(
        "R9",
        f"{CONNECTIONS} bodies of {'60 MiB in gzip' if packed else '15 MiB'} held back",
        mib_before=memory[0],
        mib_most=max(memory),
        statuses=dict(Counter(statuses)),
    )
    assert max(memory) < memory[0] + MOST_MIB_MORE
    assert set(honest) == {200}
    assert set(statuses) <= {None, 400, 413, 429, 503}


def test_a_body_that_is_shorter_than_announced_stores_nothing(service, key, module_engine):
    async def break_off() -> int | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        late = ONE.replace(b"press-07", b"never-whole")
        writer.write(head(key) + b"Content-Length: 1000\r\n\r\n" + late)
        writer.write_eof()
        with contextlib.suppress(TimeoutError, EOFError):
            return (await asyncio.wait_for(receive(reader), 1))[0]
        writer.transport.abort()
        await asyncio.sleep(0)

    assert asyncio.run(break_off()) in (None, 400)
    with module_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM machines WHERE key = 'never-whole'")) == 0
