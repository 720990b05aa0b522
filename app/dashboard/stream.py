"""`/api/v1/stream`: what changes, as server-sent events to one open page, for as long as its rights last."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from app.dashboard.hub import LOST, Change, Hub, Listener
from app.errors import NotSignedIn, TooBusy, Unavailable
from app.security.policy import Role, allow, find_principal

router = APIRouter(prefix="/api/v1", tags=["stream"])

# A right that was taken away ends the stream within this time.
RECHECK_SECONDS = 0.5
# Often enough for proxies to keep the connection and for a page to notice a dead one soon.
HEARTBEAT_SECONDS = 5.0
# Said to the browser: how long to wait before it connects again.
RECONNECT_MS = 2000
ROLES = frozenset({Role.OPERATOR})


def get_hub(request: Request) -> Hub:
    hub: Hub | None = getattr(request.app.state, "hub", None)
    if hub is None or hub.closing:
        raise Unavailable("Live updates are not running here.", retry_after=5)
    return hub


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/stream", dependencies=[allow(*ROLES)], response_class=EventStream)
async def stream(request: Request, hub: Annotated[Hub, Depends(get_hub)]) -> EventStream:
    """Server-sent events: `hello`, `change` with its kind, `missed` (look again), `lost`, `heartbeat`, `ended`."""
    return EventStream(events(request, hub), headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})


async def events(request: Request, hub: Hub) -> AsyncIterator[str]:
    try:
        with hub.listener() as listener:
            yield f"retry: {RECONNECT_MS}\n" + written("hello" if hub.hearing else "lost", {})
            async for event in _while_allowed(request, hub, listener):
                yield event
    except TooBusy as error:
        yield f"retry: {1000 * (error.retry_after or 5)}\n" + written("lost", {"reason": error.detail})


async def _while_allowed(request: Request, hub: Hub, listener: Listener) -> AsyncIterator[str]:
    checked = beaten = time.monotonic()
    while not listener.closed:
        changes = await listener.take(RECHECK_SECONDS)
        now = time.monotonic()
        if now - checked >= RECHECK_SECONDS:
            checked = now
            if not await still_allowed(request):
                yield written("ended", {})
                return
        for change in changes:
            yield written(*as_event(change))
        if now - beaten >= HEARTBEAT_SECONDS:
            beaten = now
            yield written("heartbeat" if hub.hearing else "lost", {})


async def still_allowed(request: Request) -> bool:
    """Asks again who this is. While the database is away nothing can be revoked, and nothing is told either."""
    try:
        principal = await find_principal(request)
    except NotSignedIn:
        return False
    except SQLAlchemyError:
        return True
    return principal is not None and principal.has_any(ROLES)


def as_event(change: Change) -> tuple[str, dict[str, str | None]]:
    kind, machine = change
    if change == LOST or kind == "missed":
        return kind, {}
    return "change", {"kind": kind, "machine": machine}


def written(event: str, data: dict[str, str | None]) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
