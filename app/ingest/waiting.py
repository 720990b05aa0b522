"""Batches that wait for the committer, bounded: whoever comes when a line is full is told when to come again."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from app.errors import TooBusy
from app.ingest.group import Batch, BatchReport

EXTRA_CHANNELS_A_ROW = 8


@dataclass(frozen=True)
class Waiting:
    """A request's batch, and the promise of its report to the event loop that waits for it."""

    batch: Batch
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[BatchReport]


def size_of(batch: Batch) -> int:
    """Rows, as memory and time count them: so many extra channels cost as much as another row."""
    extra = sum(len(each) for each in batch.columns.extra if each)
    return len(batch.columns) + extra // EXTRA_CHANNELS_A_ROW


@dataclass
class Line:
    """First come, first served. A batch of any size may wait alone."""

    most_rows: int
    most_requests: int
    retry_after: int
    rows: int = 0
    _queue: deque[Waiting] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._queue)

    def check_room(self, rows: int = 1) -> None:
        """Raises TooBusy where `rows` more are too many."""
        full = self._queue and self.rows + rows > self.most_rows
        if full or len(self._queue) >= self.most_requests:
            raise TooBusy(
                "More readings arrive than can be stored; this batch was not stored, send it again.",
                retry_after=self.retry_after,
            )

    def add(self, waiting: Waiting) -> None:
        size = size_of(waiting.batch)
        self.check_room(size)
        self._queue.append(waiting)
        self.rows += size

    def take(self, most_rows: int) -> list[Waiting]:
        """The first who fit into `most_rows`, at least one if that is more than none; not those who gave up."""
        taken: list[Waiting] = []
        rows = 0
        while self._queue and rows < most_rows:
            size = size_of(self._queue[0].batch)
            if rows and rows + size > most_rows:
                break
            waiting = self._queue.popleft()
            rows += size
            if not waiting.answer.cancelled():
                taken.append(waiting)
        self.rows -= rows
        return taken
