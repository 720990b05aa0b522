"""A request's body, bounded in size as sent, in size unpacked, and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from fastapi import Request

from app.errors import Malformed, TooLarge
from app.settings import Settings

# A sensor on a poor line needs seconds; who needs longer than this holds a connection for nothing.
SECONDS_TO_ARRIVE = 60
GZIP = 16 + zlib.MAX_WBITS


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body, unpacked. Raises TooLarge as soon as a bound is passed, Malformed for what cannot be unpacked."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise Malformed(f"Content-Encoding {encoding[:40]!r} is not understood; send gzip or none.")
    if request.headers.get("content-length", "0").isdigit():
        _check_sent(int(request.headers.get("content-length", "0")), settings)
    try:
        async with asyncio.timeout(SECONDS_TO_ARRIVE):
            return await _read(request.stream(), settings, Gunzip(settings) if "gzip" in encoding else None)
    except TimeoutError as error:
        raise Malformed(f"The body did not arrive within {SECONDS_TO_ARRIVE} seconds.") from error


async def _read(chunks: AsyncIterator[bytes], settings: Settings, gunzip: Gunzip | None) -> bytes:
    sent = 0
    parts: list[bytes] = []
    async for chunk in chunks:
        sent += len(chunk)
        _check_sent(sent, settings)
        parts.append(gunzip.feed(chunk) if gunzip else chunk)
    if gunzip:
        gunzip.finish()
    return b"".join(parts)


def _check_sent(size: int, settings: Settings) -> None:
    if size > settings.max_body_bytes:
        raise TooLarge(f"The body is larger than {settings.max_body_bytes:,} bytes; send it in parts or as gzip.")


class Gunzip:
    """Unpacks gzip as it arrives, one or several members, and stops at the bound: a bomb is never unpacked."""

    def __init__(self, settings: Settings) -> None:
        self.room = settings.max_decompressed_bytes
        self._bound = settings.max_decompressed_bytes
        self._member = zlib.decompressobj(GZIP)
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP)
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
