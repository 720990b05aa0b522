"""The background thread: takes batches from the queue, delivers each until the service has settled it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http.client import HTTPException

from wearwatch_client.answers import InParts, Later, Settled, judge
from wearwatch_client.connection import Connection
from wearwatch_client.disk_queue import DiskQueue
from wearwatch_client.errors import Closed
from wearwatch_client.frames import Queued
from wearwatch_client.retry import Backoff, asked_seconds

log = logging.getLogger("wearwatch_client")

PATH = "/api/v1/readings"
KIND = "application/x-ndjson"
# A batch's JSON. The service takes 16 MiB, a proxy before it often 1 MiB; gzip leaves a tenth.
MOST_BATCH_BYTES = 1 << 20
# Somebody must make a new key or give it the right; asking more often fills logs.
KEY_REFUSED_SECONDS = 60.0
# A batch that was halved grows back by this share with every success.
GROWTH = 8


class Sender:
    """Owns the queue's reading end. What happened is in `counts`, what is wrong now in `problem`."""

    def __init__(
        self, queue: DiskQueue, connection: Connection, batch_rows: int, batch_seconds: float, backoff: Backoff
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self.key_refused = False
        self._queue, self._connection, self._backoff = queue, connection, backoff
        self._batch_rows = self._most_rows = batch_rows
        self._batch_seconds = batch_seconds
        self._changed = threading.Condition()
        self._hurry = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="wearwatch-client", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Meanwhile batches are not held back to grow."""
        with self._changed:
            self._hurry += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._stopping or done(), timeout) and done()
            finally:
                self._hurry -= 1

    def stop(self, patience_seconds: float) -> None:
        """Returns when the thread has ended, or is stuck in a call that nothing can cut short."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience_seconds)
        self._connection.interrupt()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self._deliver_next()
            except Closed:
                break
            except Exception as error:  # the outermost loop: nothing may end it while readings wait
                log.exception("An error of the client itself; it goes on.")
                wait = self._failed(f"{type(error).__name__}: {error}", None)
            self._pause(wait)
        self._connection.close()

    def _deliver_next(self) -> float:
        """Seconds to wait before the next batch."""
        self._wait_for_batch()
        rows = [] if self._stopping else self._queue.read(self._most_rows, MOST_BATCH_BYTES)
        if not rows:
            self.wake()  # what waited may be lost, and somebody may wait for it
            return 0.0
        self.counts["requests"] += 1
        try:
            answer = self._connection.post(PATH, b"\n".join(queued.body for queued in rows), KIND)
        except (OSError, HTTPException) as error:
            return self._failed(f"no answer ({type(error).__name__}: {error})", None)
        verdict = judge(answer, len(rows))
        if isinstance(verdict, Later):
            asked = asked_seconds(answer.retry_after, answer.date)
            return self._failed(verdict.problem, asked, key_refused=verdict.key_refused)
        return self._settle(rows, verdict)

    def _wait_for_batch(self) -> None:
        """Until a batch is full or its first reading has waited long enough."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._queue.waiting)
            self._changed.wait_for(
                lambda: self._stopping or self._hurry or self._queue.waiting >= self._most_rows, self._batch_seconds
            )

    def _settle(self, rows: Sequence[Queued], verdict: Settled | InParts) -> float:
        if isinstance(verdict, InParts):
            if len(rows) > 1:
                self._most_rows = len(rows) // 2
                return 0.0
            if not verdict.for_good:
                return self._failed(f"one reading alone is refused with {verdict.refusal.reason}", None)
            verdict = Settled(rejected={0: verdict.refusal})
        refused = [(rows[place], why) for place, why in sorted(verdict.rejected.items())]
        self._queue.rejected.keep(refused)
        self._queue.acknowledge(len(rows))
        self.counts.update({**verdict.counts, "rejected": len(refused)})
        if refused:
            why = refused[0][1]
            log.warning("%d readings rejected, the first: %s %s", len(refused), why.field or "", why.reason)
        self._succeeded()
        return 0.0

    def _succeeded(self) -> None:
        if self.problem:
            log.warning("The service at %s takes readings again.", self._connection.url)
        self._backoff.reset()
        self._most_rows = min(self._batch_rows, self._most_rows + self._most_rows // GROWTH + 1)
        with self._changed:
            self.problem, self.key_refused = "", False
            self._changed.notify_all()

    def _failed(self, problem: str, asked: float | None, *, key_refused: bool = False) -> float:
        """Says what is new; the same problem again is not said again."""
        if problem != self.problem:
            log.warning("%s: %s. Readings wait in the queue.", self._connection.url, problem)
        with self._changed:
            self.problem, self.key_refused = problem, key_refused
            self._changed.notify_all()
        self.counts["failures"] += 1
        return self._backoff.wait(asked, KEY_REFUSED_SECONDS if key_refused else 0.0)

    def _pause(self, seconds: float) -> None:
        """Only the end cuts it short, whatever else is new."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)
