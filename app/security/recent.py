"""Credentials seen a moment ago, so that a sensor posting 1,000 times a second is not looked up each time."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

# A revoked key must stop working everywhere within 1 s, open streams too, and those ask only twice a second.
KEPT_SECONDS = 0.25
# More than any plant has keys; when full, all are forgotten and looked up again.
MOST_KEPT = 10_000

T = TypeVar("T")


class RecentPrincipals(Generic[T]):
    """Only valid credentials are kept, by their hash, so neither guesses nor memory dumps gain from it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[bytes, tuple[float, T]] = {}
        self._under_way: dict[bytes, asyncio.Future[T | None]] = {}

    def get(self, credential: str) -> T | None:
        until, principal = self._kept.get(_digest(credential), (0.0, None))
        return principal if self._now() < until else None

    def put(self, credential: str, principal: T) -> None:
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[_digest(credential)] = (self._now() + KEPT_SECONDS, principal)

    async def looked_up_once(self, credential: str, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        """Of many requests that miss the same credential at once, one looks it up and the others wait for it."""
        digest = _digest(credential)
        under_way = self._under_way.get(digest)
        if under_way is None:
            under_way = self._under_way[digest] = asyncio.ensure_future(self._look_up(credential, look_up))
            under_way.add_done_callback(lambda _: self._under_way.pop(digest, None))
        return await asyncio.shield(under_way)

    async def _look_up(self, credential: str, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        principal = await look_up()
        if principal is not None:
            self.put(credential, principal)
        return principal

    def forget(self) -> None:
        self._kept.clear()


def _digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()
