"""Starts the service's processes and says in one sentence why it cannot."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import uvicorn

from app.errors import Unavailable
from app.metrics import SHARED_FOLDER
from app.request_head import BoundedHead
from app.settings import Settings

# After SIGTERM, requests under way get this long; open event streams end at once by themselves.
SHUTDOWN_SECONDS = 10
# Idle connections of gateways are kept this long, so that a post each minute reuses its connection.
KEEP_ALIVE_SECONDS = 75


def run_service(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Serve until stopped. Raises Unavailable when the port is taken or the address is not ours."""
    host, port = host or settings.host, port or settings.port
    check_free(host, port)
    with _counting_together(settings.processes):
        uvicorn.run(
            "app.main:application",
            factory=True,
            host=host,
            port=port,
            workers=settings.processes,
            log_config=None,
            access_log=False,
            server_header=False,
            http=BoundedHead,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )


@contextmanager
def _counting_together(processes: int) -> Iterator[None]:
    """With several processes a scrape reaches one of them, by chance; each must know the counts of all."""
    if processes == 1:
        yield
        return
    with TemporaryDirectory(prefix="wearwatch-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        yield


def check_free(host: str, port: int) -> None:
    """Raises Unavailable where something else listens already or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {host}:{port}: {error.strerror}. "
                "Stop the other program or choose another port with --port or WEARWATCH_PORT."
            ) from error
