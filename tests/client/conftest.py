"""A small service that answers as it is told: stores, refuses, is busy, cuts the line before or after storing."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wearwatch_client import Client
from wearwatch_client.retry import Backoff

PROBLEM = "application/problem+json"


@dataclass
class Refuse:
    """An answer other than 200; from Wearwatch itself unless `kind` says otherwise."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    document: object = None
    kind: str = PROBLEM


class Service:
    """`script` holds what happens to the next requests: None is normal, then it is normal for ever."""

    def __init__(self) -> None:
        self.script: list[Refuse | str | None] = []
        self.stored: Counter[tuple[str, str]] = Counter()
        self.batches: list[list[dict]] = []
        self.headers: list[Message] = []
        self.connections: set[object] = set()
        self.most_rows = 100_000
        self.address = ""

    @property
    def rows(self) -> list[dict]:
        return [row for batch in self.batches for row in batch]

    def answer(self, rows: list[dict]) -> Refuse | bytes:
        """As Wearwatch does: rows colder than nothing are rejected, a batch of nothing else as a whole."""
        self.batches.append(rows)
        if len(rows) > self.most_rows:
            return Refuse(413, document={"detail": "too many"})
        counts = {"accepted": 0, "duplicates": 0, "merged": 0, "conflicts": 0}
        rejected = []
        for index, row in enumerate(rows):
            key = (row["machine"], row["measured_at"])
            if row.get("temperature_c", 0) < -273.15:
                rejected.append({"index": index, "field": "temperature_c", "reason": "below -273.15"})
            else:
                counts["duplicates" if self.stored[key] else "accepted"] += 1
                self.stored[key] = 1
        if len(rejected) == len(rows):
            return Refuse(422, document={"detail": "none stored", "rejected": rejected})
        return json.dumps({**counts, "rejected": rejected, "conflicting": []}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.headers.append(self.headers)
            service.connections.add(self.client_address)
            step = service.script.pop(0) if service.script else None
            if step == "cut":
                self.close_connection = True
                return
            if isinstance(step, Refuse):
                return self.refuse(step)
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            answer = service.answer([json.loads(line) for line in body.split(b"\n")])
            if step == "store and cut":
                self.close_connection = True
            elif isinstance(answer, Refuse):
                self.refuse(answer)
            else:
                self.send(200, {"Content-Type": "application/json"}, answer, step == "half an answer")
                self.close_connection |= step == "store and close"

        def refuse(self, refusal: Refuse) -> None:
            body = json.dumps(refusal.document).encode()
            self.send(refusal.status, {"Content-Type": refusal.kind, **refusal.headers}, body)

        def send(self, status: int, headers: dict[str, str], body: bytes, half: bool = False) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)
            self.close_connection |= half

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = Service()
    service.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_client(service: Service, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """A client of the service that waits hundredths of seconds where a real one waits seconds."""
    opened: list[Client] = []

    def open_client(**options: object) -> Client:
        quick = {"batch_seconds": 0.01, "backoff": Backoff(0.01, 0.05), "key": "ww_secret"}
        opened.append(Client(**{"url": service.address, "queue": tmp_path / "queue", **quick, **options}))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close(0)
