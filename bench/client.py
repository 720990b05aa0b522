"""The client: readings a second it takes durably, against SQLite as its queue, and what it delivers to a service.

`python -m bench.client`
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.embedded import start_embedded
from bench.measure import Side, compare, out, show
from bench.services import wearwatch
from wearwatch_client import Client
from wearwatch_client.disk_queue import DiskQueue
from wearwatch_client.reading import as_json

ROUNDS = 5
SECONDS = 1.0
DELIVERED = 200_000
Append = Callable[[Sequence[bytes]], None]


def row(number: int) -> dict[str, object]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_790_000_000 + number // 60))
    values = {"temperature_c": 61 + number % 37 / 7, "vibration_mm_s": 2.1 + number % 11 / 13, "current_a": 14.3}
    return {"machine": f"press-{number % 60:02d}", "measured_at": at, **values, "runtime_hours": number / 3600}


def rate(append: Append, at_once: int, threads: int) -> float:
    """Readings a second that were on disk when `append` returned."""
    bodies = [as_json(row(number)) for number in range(at_once)]
    done = [0] * threads
    end = time.perf_counter() + SECONDS

    def work(number: int) -> None:
        while time.perf_counter() < end:
            append(bodies)
            done[number] += at_once

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / SECONDS


@contextmanager
def segments():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        queue = DiskQueue(Path(folder), 1 << 40)
        yield queue.append
        queue.close()


@contextmanager
def sqlite(journal: str):
    """One connection behind a lock: SQLite has one writer anyway."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        database = sqlite3.connect(Path(folder) / "queue.db", isolation_level=None, check_same_thread=False)
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE queue (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        lock = threading.Lock()

        def append(bodies: Sequence[bytes]) -> None:
            with lock:
                database.execute("BEGIN")
                database.executemany("INSERT INTO queue (body) VALUES (?)", ((body,) for body in bodies))
                database.execute("COMMIT")

        yield append
        database.close()


def queues(at_once: int, threads: int, journal: str) -> None:
    def ours() -> float:
        with segments() as append:
            return rate(append, at_once, threads)

    def peer() -> float:
        with sqlite(journal) as append:
            return rate(append, at_once, threads)

    name = f"{at_once} at once, {threads} threads"
    sides = Side("segment files", ours), Side(f"SQLite, journal {journal}, synchronous FULL", peer)
    show(compare("queue", f"Durably queued, {name}", "readings a second", 1, *sides, ROUNDS))


def delivered() -> None:
    """From a queue that was filled while the service was away; the service's own work included."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the embedded server's user must reach it
        data = Path(folder) / "data"
        with wearwatch(start_embedded(data), data, 1) as target:
            key = target.headers.partition("Bearer ")[2].partition("\r")[0]
            for number in range(ROUNDS):
                queue = Path(folder) / f"queue-{number}"
                with Client("http://127.0.0.1:1", queue, key=key) as away:
                    away.add_rows(map(row, range(number * DELIVERED, (number + 1) * DELIVERED)))
                used, began = time.process_time(), time.perf_counter()
                with Client(f"http://127.0.0.1:{target.port}", queue, key=key) as client:
                    assert client.flush(300)
                    seconds = time.perf_counter() - began
                    assert client.stats.accepted == DELIVERED
                own = (time.process_time() - used) / DELIVERED * 1e6
                out.print(f"Delivered {DELIVERED / seconds:,.0f} readings a second; {own:.2f} us of our CPU each.")


if __name__ == "__main__":
    for journal in ("DELETE", "WAL"):
        queues(1, 1, journal)
        queues(1, 16, journal)
        queues(100, 1, journal)
    delivered()
