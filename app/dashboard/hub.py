"""One listener per process hears what the database announces and hands it to every open page."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI
from sqlalchemy import Engine

from app.database import LIVENESS, Bind
from app.errors import TooBusy

log = structlog.get_logger(__name__)

CHANNEL = "wearwatch"
# Under this name an administrator finds the connection in pg_stat_activity.
APPLICATION_NAME = "wearwatch live updates"
KINDS = frozenset({"reading", "risk", "plan", "event", "machine", "work", "what_if"})
# A page that reads slower than this many different changes gather is told to reload instead.
MOST_PENDING = 256
# Each open page costs a socket and a look at its rights every second.
MOST_LISTENERS = 500
RETRY_SECONDS = 1.0
# How often the connection is asked for a sign of life; one cut without a word is noticed LIVENESS later.
PROBE_SECONDS = 10.0

Change = tuple[str, str | None]
MISSED: Change = ("missed", None)
LOST: Change = ("lost", None)


class Listener:
    """What one open page has not been told yet; equal changes are told once."""

    def __init__(self) -> None:
        self._pending: dict[Change, None] = {}
        self._news = asyncio.Event()
        self.closed = False

    def put(self, change: Change) -> None:
        if len(self._pending) >= MOST_PENDING:
            self._pending = {MISSED: None}
        self._pending[change] = None
        self._news.set()

    def close(self) -> None:
        self.closed = True
        self._news.set()

    async def take(self, timeout_seconds: float) -> list[Change]:
        """Everything new, oldest first; empty after the timeout."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_seconds)
        self._news.clear()
        taken, self._pending = list(self._pending), {}
        return taken


class Hub:
    """Listens to the database, reconnects by itself, and says plainly while it hears nothing."""

    def __init__(self, engine: Engine) -> None:
        _, self._connect_args = engine.dialect.create_connect_args(engine.url)
        self._listeners: set[Listener] = set()
        self.hearing = False
        self.closing = False

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooBusy(f"{MOST_LISTENERS} pages are already open here.", retry_after=30)
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream: they would otherwise keep the process from stopping."""
        self.closing = True
        for listener in self._listeners:
            listener.close()

    async def listen(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._listen_once()
            except (psycopg.Error, OSError) as error:
                if self.hearing:
                    log.warning("live updates interrupted", reason=type(error).__name__)
                self._tell(hearing=False)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        args: dict[str, Any] = {
            "connect_timeout": 5,
            **LIVENESS,
            **self._connect_args,
            "application_name": APPLICATION_NAME,
        }
        async with await psycopg.AsyncConnection.connect(**args, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._tell(hearing=True)
            while True:
                async for notify in connection.notifies(timeout=PROBE_SECONDS):
                    self._publish(notify.payload)
                await connection.execute("SELECT 1")

    def _tell(self, *, hearing: bool) -> None:
        """After a gap nobody knows what was missed, so pages look again."""
        if hearing != self.hearing:
            self.hearing = hearing
            self._spread(MISSED if hearing else LOST)

    def _publish(self, payload: str) -> None:
        change = read_change(payload)
        if change is not None:
            self._spread(change)

    def _spread(self, change: Change) -> None:
        for listener in self._listeners:
            listener.put(change)


def read_change(payload: str) -> Change | None:
    """`{"kind": "reading", "machine": "press-07"}` -> ("reading", "press-07"); None for anything else."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("kind") not in KINDS:
        return None
    machine = said.get("machine")
    return (said["kind"], machine) if machine is None or isinstance(machine, str) else None


@asynccontextmanager
async def listening(app: FastAPI, bind: Bind) -> AsyncIterator[None]:
    """For the application's lifespan: the hub stands in `app.state.hub` while it runs."""
    hub = Hub(bind.engine)
    app.state.hub = hub
    task = asyncio.create_task(hub.listen())
    with _closing_on_signal(hub):
        try:
            yield
        finally:
            hub.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@contextmanager
def _closing_on_signal(hub: Hub) -> Iterator[None]:
    """uvicorn waits for open answers before it ends the lifespan, and a stream never ends: end it at the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def close(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.close)
        earlier = before[signal.Signals(number)]
        if callable(earlier):
            earlier(number, frame)

    for number in before:
        signal.signal(number, close)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
