"""A request's body, bounded in size as sent, in size unpacked, in time, and together with all others under way."""

from __future__ import annotations

import asyncio
import zlib

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.errors import Malformed, TooLarge, TooSlow, Unavailable
from app.settings import Settings

# A sensor on a poor line needs seconds; who needs longer than this holds a connection for nothing.
SECONDS_TO_ARRIVE = 60
# Every body may grow to this; beyond it all together share `max_bytes_under_way`.
ALWAYS_ROOM_BYTES = 64 << 10
RETRY_AFTER_SECONDS = 2
# A member of gzip is a stream of its own. Nobody needs many, and each costs a hundred times its smallest size.
MOST_GZIP_MEMBERS = 1_000
GZIP = 16 + zlib.MAX_WBITS


class UnderWay:
    """The bytes of all bodies that arrive in this process at a time."""

    def __init__(self) -> None:
        self.bytes = 0


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body, unpacked. Raises TooLarge, TooSlow, Malformed or Unavailable as soon as a bound is passed."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise Malformed(f"Content-Encoding {encoding[:40]!r} is not understood; send gzip or none.")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit():
        _check_sent(int(announced[:20]), settings)
    under_way: UnderWay = request.app.state.bodies_under_way
    arriving = Arriving(settings, under_way, Gunzip(settings) if "gzip" in encoding else None)
    try:
        async with asyncio.timeout(SECONDS_TO_ARRIVE):
            return await arriving.whole(request)
    except TimeoutError as error:
        raise too_slow() from error
    finally:
        arriving.release()


def too_slow() -> TooSlow:
    return TooSlow(f"The body did not arrive within {SECONDS_TO_ARRIVE} seconds.")


class Arriving:
    """One body, piece by piece, its bytes counted among those under way until it is released."""

    def __init__(self, settings: Settings, under_way: UnderWay, gunzip: Gunzip | None) -> None:
        self._counted = 0
        self._settings = settings
        self._under_way = under_way
        self._gunzip = gunzip
        self._sent = 0

    async def whole(self, request: Request) -> bytes:
        parts: list[bytes] = []
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(self.take(message.get("body", b"")))
            more = message.get("more_body", False)
        if self._gunzip:
            self._gunzip.finish()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take(self, chunk: bytes) -> bytes:
        """What the chunk holds, unpacked."""
        self._sent += len(chunk)
        _check_sent(self._sent, self._settings)
        part = self._gunzip.feed(chunk) if self._gunzip else chunk
        self._counted += len(part)
        self._under_way.bytes += len(part)
        if self._counted > ALWAYS_ROOM_BYTES and self._crowded:
            raise Unavailable(
                "Too many large bodies arrive at once; this one was not stored, send it again.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        return part

    def release(self) -> None:
        self._under_way.bytes -= self._counted
        self._counted = 0

    @property
    def _crowded(self) -> bool:
        alone = self._under_way.bytes == self._counted
        return self._under_way.bytes > self._settings.max_bytes_under_way and not alone


def _check_sent(size: int, settings: Settings) -> None:
    if size > settings.max_body_bytes:
        raise TooLarge(f"The body is larger than {settings.max_body_bytes:,} bytes; send it in parts or as gzip.")


class Gunzip:
    """Unpacks gzip as it arrives, one or several members, and stops at the bound: a bomb is never unpacked."""

    def __init__(self, settings: Settings) -> None:
        self.room = settings.max_decompressed_bytes
        self._bound = settings.max_decompressed_bytes
        self._member = zlib.decompressobj(GZIP)
        self._members = 1
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._member.eof:
                self._next_member()
            try:
                part = self._member.decompress(chunk, self.room + 1)
            except zlib.error as error:
                raise Malformed("The body says it is gzip but cannot be unpacked.") from error
            self._begun = True
            self.room -= len(part)
            if self.room < 0:
                raise TooLarge(f"The unpacked body is larger than {self._bound:,} bytes; send it in parts.")
            parts.append(part)
            chunk = self._member.unused_data or self._member.unconsumed_tail
        return b"".join(parts)

    def finish(self) -> None:
        if self._begun and not self._member.eof:
            raise Malformed("The gzip body breaks off before its end.")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MOST_GZIP_MEMBERS:
            raise Malformed(f"The gzip body has more than {MOST_GZIP_MEMBERS:,} members.")
        self._member = zlib.decompressobj(GZIP)
