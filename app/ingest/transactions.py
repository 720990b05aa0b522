"""Groups of batches on their way into the database, from the event loop: two at a time, each answered whole.

What is surely new is appended by the loop itself, two groups at a time; the rest asks the database first, and so
goes to a thread. It waits for those under way, and while it asks no other begins: it changes what this process
remembers, and of two groups that share a key the earlier counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.database import Bind
from app.errors import WearwatchError
from app.ingest.appending import Appender
from app.ingest.group import Batch, BatchReport
from app.ingest.new_rows import transaction
from app.ingest.store import all_accepted
from app.ingest.writing import MET_ANOTHER_WRITER, NO_PARTITION, Checked, Writer
from app.settings import Settings

log = structlog.get_logger(__name__)

# While the database writes one to the disk, the next is made ready and sent.
AT_ONCE = 2
# A server that has no connection left, or none for us, is not asked for one with every request.
SECONDS_BETWEEN_OPENINGS = 1.0
# Checking this many rows takes some milliseconds; what is larger goes to a thread, so that nobody else waits.
MOST_ROWS_CHECKED = 8_000

# What became of each batch of a group.
Answers = Sequence[BatchReport | Exception]
Done = Callable[[Answers], None]


class Transactions:
    """Belongs to the event loop that begins them."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self.under_way = 0
        self._writer = Writer(bind, settings)
        self._appenders = [Appender(bind) for _ in range(AT_ONCE)]
        self._settings = settings
        # Those that ask the database, under way or waiting for each other.
        self._asking = 0
        self._alone = asyncio.Lock()
        self._appending = 0
        self._appended_all = asyncio.Event()
        self._open_again_at = 0.0
        # The event loop itself holds its tasks by weak references only.
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        return self.under_way < AT_ONCE and not self._asking

    def begin(self, batches: Sequence[Batch], done: Done) -> None:
        """`done` is called once, after the commit or when it has failed."""
        self.under_way += 1
        try:
            begun = self._append(batches, done)
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to those who wait for these batches
            begun = self._failed(batches, error)
        if begun is not None:
            self._ask(batches, begun, done)

    async def close(self) -> None:
        """When none is under way."""
        for appender in self._appenders:
            appender.close()
        await asyncio.to_thread(self._writer.close)

    def _append(self, batches: Sequence[Batch], done: Done) -> Coroutine[None, None, Answers] | None:
        """What is to be done instead, where they cannot be appended."""
        appender = next((each for each in self._appenders if each.is_free()), None)
        if appender is None or sum(batch.size for batch in batches) > MOST_ROWS_CHECKED:
            return self._reconciled(batches, partial(self._writer.write, batches))
        checked = self._writer.check(batches)
        new = self._writer.new_rows(checked)
        if new is None:
            return self._reconciled(batches, partial(self._writer.reconcile, checked))
        # Both are made before anything is sent, so that nothing but the server can fail afterwards.
        given = transaction(new, checked.now, self._settings)
        reports = new.group.reports(all_accepted(len(new.order)))
        # Whatever becomes of them: who takes a stored row for new pays more than who looks up a new one.
        self._writer.learn(new)
        self._appending += 1
        appender.append(given, partial(self._appended, appender, checked, reports, done))
        return None

    def _appended(
        self, appender: Appender, checked: Checked, reports: Answers, done: Done, error: Exception | None
    ) -> None:
        """Called by the appender after the commit, or when it has failed."""
        self._appending -= 1
        self._appended_all.set()
        if error is None:
            self._end(done, reports)
        elif getattr(getattr(error, "orig", None), "sqlstate", None) in (NO_PARTITION, *MET_ANOTHER_WRITER):
            # They were not as new as this process thought.
            write = partial(self._writer.reconcile, checked)
            self._ask(checked.batches, self._reconciled(checked.batches, write, distrust=True), done)
        else:
            appender.close()
            self._ask(checked.batches, self._failed(checked.batches, error), done)

    def _ask(self, batches: Sequence[Batch], answers: Coroutine[None, None, Answers], done: Done) -> None:
        self._asking += 1
        # A context of its own: the lines of its log are not those of the request that came last.
        task = asyncio.get_running_loop().create_task(self._asked(batches, answers, done), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _asked(self, batches: Sequence[Batch], answers: Coroutine[None, None, Answers], done: Done) -> None:
        found: Answers
        try:
            async with self._alone:
                while self._appending:
                    self._appended_all.clear()
                    await self._appended_all.wait()
                found = await answers
        except Exception as error:
            log.exception("readings not stored", requests=len(batches))
            found = [error] * len(batches)
        self._asking -= 1
        self._end(done, found)

    def _end(self, done: Done, answers: Answers) -> None:
        self.under_way -= 1
        done(answers)

    async def _reconciled(
        self, batches: Sequence[Batch], write: Callable[[], list[BatchReport]], *, distrust: bool = False
    ) -> Answers:
        try:
            if distrust:
                self._writer.distrust()
            await self._open_appenders()
            return await asyncio.to_thread(write)
        except Exception as error:  # noqa: BLE001
            return await self._failed(batches, error)

    async def _failed(self, batches: Sequence[Batch], error: Exception) -> Answers:
        """One batch that cannot be stored must not take the others with it; a database that is away takes all.

        Each is tried once more alone: what was remembered of machines and months may be out of date.
        """
        await asyncio.to_thread(self._writer.begin_anew)
        if _concerns_all(error):
            log.warning("readings not stored", requests=len(batches), kind=type(error).__name__)
            return [error] * len(batches)
        return [await asyncio.to_thread(self._alone_or_why, batch) for batch in batches]

    def _alone_or_why(self, batch: Batch) -> BatchReport | Exception:
        try:
            [report] = self._writer.write([batch])
        except Exception as error:  # noqa: BLE001
            self._writer.begin_anew()
            log.warning("readings not stored", requests=1, kind=type(error).__name__)
            return error
        return report

    async def _open_appenders(self) -> None:
        """Those that are not, where that is possible; the writer has a connection of its own."""
        for appender in self._appenders:
            if appender.usable and not appender.is_open and time.monotonic() >= self._open_again_at:
                try:
                    await appender.open()
                except SQLAlchemyError as error:
                    log.warning("no connection to append with", kind=type(error).__name__)
                    self._open_again_at = time.monotonic() + SECONDS_BETWEEN_OPENINGS
                else:
                    # Another connection may lead to another database: one that was restored.
                    self._writer.forget()


def _concerns_all(error: Exception) -> bool:
    """A database that is away or full, and not what one batch holds.

    SQLSTATE 22 (data), 23 (integrity), 54 (too large): sending the same again gives the same.
    """
    if isinstance(error, DBAPIError) and not error.connection_invalidated:
        return str(getattr(error.orig, "sqlstate", None))[:2] not in ("22", "23", "54")
    return isinstance(error, SQLAlchemyError | WearwatchError | OSError)
