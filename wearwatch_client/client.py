"""The client that a sensor's or gateway's program uses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from wearwatch_client.connection import Connection
from wearwatch_client.disk_queue import DiskQueue
from wearwatch_client.errors import ClientError
from wearwatch_client.reading import Number, as_json, reading
from wearwatch_client.retry import Backoff
from wearwatch_client.sender import Sender

KEY_VARIABLE = "WEARWATCH_API_KEY"
# About 5 million readings: a gateway of 100 machines at one reading in 10 seconds for 6 days.
MOST_QUEUE_BYTES = 1 << 30
LEAST_QUEUE_BYTES = 1 << 20
STOP_SECONDS = 2.0


@dataclass(frozen=True)
class Stats:
    """Counted since the client was opened; `waiting` and `queue.size` are what lies on disk now."""

    queued: int
    waiting: int
    queue_bytes: int
    accepted: int
    duplicates: int
    merged: int
    conflicts: int
    rejected: int
    lost: int
    requests: int
    failures: int
    problem: str
    key_refused: bool


class Client:
    """`with Client("https://wearwatch.plant:8000", "/var/lib/gateway/queue") as client: client.add(...)`.

    Any thread may add. The key comes from WEARWATCH_API_KEY where none is given.
    """

    def __init__(
        self,
        url: str,
        queue: str | Path,
        *,
        key: str | None = None,
        ca_file: str | Path | None = None,
        batch_rows: int = 1000,
        batch_seconds: float = 1.0,
        max_bytes: int = MOST_QUEUE_BYTES,
        durable: bool = True,
        timeout_seconds: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        """Raises ClientError for an address, key or bound that cannot be, QueueInUse where another has the queue.

        `durable=False` leaves the moment of writing to the system: what was added in the last seconds before a
        power failure may be lost, what was added before the program was killed is not.
        """
        if batch_rows < 1 or max_bytes < LEAST_QUEUE_BYTES:
            raise ClientError(f"batch_rows is at least 1 and max_bytes at least {LEAST_QUEUE_BYTES:,}.")
        connection = Connection(url, key or os.environ.get(KEY_VARIABLE, ""), ca_file, timeout_seconds)
        self._queue = DiskQueue(Path(queue), max_bytes, durable=durable)
        self._first = self._queue.next
        self._sender = Sender(self._queue, connection, batch_rows, batch_seconds, backoff or Backoff())

    def add(
        self,
        machine: str,
        measured_at: datetime | str,
        *,
        extra: Mapping[str, Number | None] | None = None,
        **channels: Number | None,
    ) -> None:
        """Queue one reading: `client.add("press-07", datetime.now(timezone.utc), temperature_c=61.2)`.

        It is on disk when this returns. Raises NotAReading, QueueFull, QueueFailed; then it is not queued.
        """
        self.add_rows([reading(machine, measured_at, channels, extra)])

    def add_row(self, row: Mapping[str, object]) -> None:
        """The same for a reading in the form of the wire."""
        self.add_rows([row])

    def add_rows(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Many at once, all or none, for one write to disk."""
        bodies = [as_json(row) for row in rows]
        if bodies:
            self._queue.append(bodies)
            self._sender.wake()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything added so far is stored or rejected. False where time ran out first."""
        last = self._queue.next
        return self._sender.wait_until(lambda: self._queue.position >= last, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Deliver what can be delivered in that time, unless the service is away; the rest waits on disk."""
        self._sender.wait_until(lambda: not self._queue.waiting or bool(self._sender.problem), timeout)
        self._sender.stop(STOP_SECONDS)
        self._queue.close()

    @property
    def stats(self) -> Stats:
        sender, queue = self._sender, self._queue
        counts = ("accepted", "duplicates", "merged", "conflicts", "rejected", "requests", "failures")
        return Stats(
            queued=queue.next - self._first,
            waiting=queue.waiting,
            queue_bytes=queue.size,
            lost=queue.lost,
            problem=sender.problem,
            key_refused=sender.key_refused,
            **{name: sender.counts[name] for name in counts},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
