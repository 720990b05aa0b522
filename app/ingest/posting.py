"""The short way of `POST /readings`: a key seen a moment ago, a body read at once, rows to the committer."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI, Request, Response

from app.direct import refusal
from app.ingest.actions import received, summarise
from app.ingest.body import SECONDS_TO_ARRIVE, Arriving, UnderWay, too_slow
from app.ingest.committer import Committer
from app.ingest.decode import decode
from app.ingest.waiting import Tell
from app.security.policy import Allow
from app.security.principal import Principal
from app.security.recent import RecentPrincipals
from app.settings import Settings
from app.short_way import ShortWay

# Decoding this much takes two milliseconds; more would make every other request wait, so it moves to a thread.
DECODED_AT_ONCE_BYTES = 512 << 10


def short_way(app: FastAPI, committer: Committer, method: str, path: str, policy: Allow) -> ShortWay:
    settings: Settings = app.state.settings
    recent: RecentPrincipals[Principal] = app.state.recent_principals
    under_way: UnderWay = app.state.bodies_under_way

    def admit(key: str, length: int) -> Post | None:
        if length > min(DECODED_AT_ONCE_BYTES, settings.max_body_bytes):
            return None
        principal = recent.get(f"key {key}")
        if principal is None or not principal.has_any(policy.roles):
            return None
        committer.check_room()
        return Post(principal, committer, Arriving(settings, under_way, None), settings.max_rows)

    return ShortWay(method, path, SECONDS_TO_ARRIVE, admit, summarise, partial(_refuse, app))


def _refuse(app: FastAPI, request: Request, error: Exception) -> Response:
    return refusal(request, too_slow() if isinstance(error, TimeoutError) else error, app.exception_handlers)


class Post:
    """A request that was let in."""

    __slots__ = ("_arriving", "_committer", "_max_rows", "_parts", "_principal", "actor")

    def __init__(self, principal: Principal, committer: Committer, arriving: Arriving, max_rows: int) -> None:
        self.actor = principal.actor
        self._principal = principal
        self._committer = committer
        self._arriving = arriving
        self._max_rows = max_rows
        self._parts: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        self._parts.append(self._arriving.take(chunk))

    def whole(self, content_type: str, tell: Tell) -> None:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._release()
        self._committer.check_room()
        batch = received(decode(body, content_type, self._max_rows), self._principal)
        # Who is gone may have been a gateway whose line broke: what it sent whole is stored all the same.
        self._committer.hand_in(batch, tell, _never)

    def gave_up(self) -> None:
        self._release()

    def _release(self) -> None:
        self._parts = []
        self._arriving.release()


def _never() -> bool:
    return False
