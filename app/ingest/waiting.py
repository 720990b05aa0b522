"""Batches that wait for the committer, bounded: whoever comes when a line is full is told when to come again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import TooBusy
from app.ingest.group import Batch, BatchReport

Tell = Callable[[BatchReport | Exception], None]


@dataclass(slots=True)
class Waiting:
    """A request's batch, whom to tell what became of it, and whether nobody wants to know any more."""

    batch: Batch
    tell: Tell
    gave_up: Callable[[], bool]


@dataclass
class Line:
    """First come, first served. A batch of any size may wait alone.

    Once one was turned away the line is full until some of it was taken: while more arrives than can be stored,
    nobody is let in whose rows would be read for nothing.
    """

    most_rows: int
    most_requests: int
    retry_after: int
    rows: int = 0
    is_full: bool = False
    _queue: deque[Waiting] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._queue)

    def check_room(self, rows: int = 1) -> None:
        """Raises TooBusy where `rows` more are too many."""
        full = self._queue and (self.is_full or self.rows + rows > self.most_rows)
        if full or len(self._queue) >= self.most_requests:
            self.is_full = True
            raise TooBusy(
                "More readings arrive than can be stored; this batch was not stored, send it again.",
                retry_after=self.retry_after,
            )

    def add(self, waiting: Waiting) -> None:
        size = waiting.batch.size
        self.check_room(size)
        self._queue.append(waiting)
        self.rows += size

    def take(self, most_rows: int) -> list[Waiting]:
        """The first who fit into `most_rows`, at least one if that is more than none; not those who gave up."""
        taken: list[Waiting] = []
        rows = 0
        while self._queue and rows < most_rows:
            size = self._queue[0].batch.size
            if rows and rows + size > most_rows:
                break
            waiting = self._queue.popleft()
            rows += size
            if not waiting.gave_up():
                taken.append(waiting)
        self.rows -= rows
        self.is_full = False
        return taken
