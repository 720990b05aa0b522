"""Group commit: one writer thread a process; requests that wait at the same time share one transaction.

A request is answered only after the commit that holds it. Nothing is buffered beyond the requests that wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Condition, Thread

import numpy as np
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.announce import announce
from app.database import Bind, session_scope
from app.errors import Unavailable
from app.ingest.columns import MICROSECOND
from app.ingest.group import Batch, BatchReport
from app.ingest.merging import Outcome
from app.ingest.waiting import Line, Waiting
from app.ingest.writing import Writer
from app.metrics import READINGS
from app.settings import Settings

log = structlog.get_logger(__name__)

# A transaction of this many rows takes about 0.1 s; with more the first of the group waits and nothing is saved.
MOST_ROWS_TOGETHER = 20_000
# What may wait: less than a second of work. Whoever comes later is told to try again instead of waiting for longer.
MOST_ROWS_WAITING = 100_000
MOST_REQUESTS_WAITING = 5_000
RETRY_AFTER_SECONDS = 2
# A gateway that comes back after days must not keep today's readings waiting: while there are any, back-fill gets
# this much of each transaction, and a line of its own.
BACKFILL_ROWS_TOGETHER = 4_000
MOST_BACKFILL_ROWS_WAITING = 50_000
BACKFILL_RETRY_AFTER_SECONDS = 5
# Where several small requests come at once, a moment's wait lets more of them share the cost of a commit; so many
# requests or rows are worth one by themselves, and who comes alone is not kept waiting.
GATHER_SECONDS = 0.001
MOST_GATHERS = 3
REQUESTS_WORTH_A_COMMIT = 24
ROWS_WORTH_A_COMMIT = 500
# People look at live pages; twice a second is as live as they can see.
SECONDS_BETWEEN_NOTICES = 0.5


class Committer:
    """Takes batches from any thread, answers each through a future once it is committed or has failed."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self.commits = 0
        self._bind = bind
        self._writer = Writer(bind, settings)
        self._late_us = settings.late_after // MICROSECOND
        self._live = Line(MOST_ROWS_WAITING, MOST_REQUESTS_WAITING, RETRY_AFTER_SECONDS)
        self._backfill = Line(MOST_BACKFILL_ROWS_WAITING, MOST_REQUESTS_WAITING, BACKFILL_RETRY_AFTER_SECONDS)
        self._changed = Condition()
        self._stopping = False
        self._news: set[str] = set()
        self._next_notice = 0.0
        self._thread = Thread(target=self._run, name="ingest-committer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> asyncio.Future[BatchReport]:
        """Called from an event loop. Raises TooBusy where too much waits already, Unavailable while stopping."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(batch, loop, loop.create_future())
        line = self._backfill if self._is_backfill(batch) else self._live
        with self._changed:
            self._check_running()
            line.add(waiting)
            self._changed.notify()
        return waiting.answer

    def check_room(self) -> None:
        """What `submit` would raise for a batch of today, before its body is read."""
        self._check_running()
        self._live.check_room()

    def _check_running(self) -> None:
        if self._stopping:
            raise Unavailable("The service is stopping.", retry_after=RETRY_AFTER_SECONDS)

    def _is_backfill(self, batch: Batch) -> bool:
        """Not one of its readings is of today's; a batch that holds both is treated as live."""
        newest_us = int(batch.columns.measured_us.max(initial=0))
        return 0 < newest_us < time.time_ns() // 1000 - self._late_us

    def stop(self) -> None:
        """Refuse new batches, commit and answer those that wait."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        several = False
        while True:
            group = self._next_group(several)
            several = len(group) > 1
            if not group and self._stopping and not self._waiting:
                self._writer.close()
                return
            try:
                if group:
                    self._write(group)
                self._announce()
            except Exception:  # the outermost loop: everyone is answered by now, and the next ones wait
                log.exception("the committer goes on after an error")

    def _next_group(self, several_before: bool) -> list[Waiting]:
        """What waits, up to a bound, without clients that gave up; may be empty, as when a notice is due."""
        with self._changed:
            while not self._waiting and not self._stopping:
                pause = max(0.0, self._next_notice - time.monotonic()) if self._news else None
                if not self._changed.wait(pause):
                    return []
        if several_before:
            self._gather()
        with self._changed:
            group = self._live.take(MOST_ROWS_TOGETHER)
            group += self._backfill.take(BACKFILL_ROWS_TOGETHER if group else MOST_ROWS_TOGETHER)
        return group

    @property
    def _waiting(self) -> int:
        return len(self._live) + len(self._backfill)

    def _gather(self) -> None:
        for _ in range(MOST_GATHERS):
            rows = self._live.rows + self._backfill.rows
            if self._stopping or self._waiting >= REQUESTS_WORTH_A_COMMIT or rows >= ROWS_WORTH_A_COMMIT:
                return
            time.sleep(GATHER_SECONDS)

    def _write(self, group: Sequence[Waiting], *, again: bool = False) -> None:
        """Answer everyone in the group, whatever happens."""
        try:
            reports = self._writer.write([waiting.batch for waiting in group])
        except Exception as error:  # noqa: BLE001  the outermost loop: an error belongs to the requests that wait
            self._write_failed(group, error, again=again)
            return
        _answer(group, reports)
        _count(reports)
        machines = {key for waiting in group for key in waiting.batch.columns.machine}
        with self._changed:
            self.commits += 1
            self._news |= machines

    def _write_failed(self, group: Sequence[Waiting], error: Exception, *, again: bool) -> None:
        """One batch that cannot be stored must not take the others with it; a database that is away takes all.

        Each is tried once more alone: what was remembered of machines and months may be out of date.
        """
        self._writer.begin_anew()
        passing = isinstance(error, DBAPIError) and error.connection_invalidated
        if not again and isinstance(error, SQLAlchemyError) and not passing and _is_about_data(error):
            for waiting in group:
                self._write([waiting], again=True)
            return
        log.warning("readings not stored", requests=len(group), kind=type(error).__name__)
        _answer(group, [error] * len(group))

    def _announce(self) -> None:
        """Tell other processes which machines have new readings, at most every so often."""
        with self._changed:
            if not self._news or time.monotonic() < self._next_notice:
                return
            machine = next(iter(self._news)) if len(self._news) == 1 else None
            self._news = set()
            self._next_notice = time.monotonic() + SECONDS_BETWEEN_NOTICES
        try:
            with session_scope(self._bind) as session:
                session.execute(text("SET LOCAL synchronous_commit = off"))
                announce(session, "reading", machine)
        except SQLAlchemyError as error:
            log.warning("live pages not told", kind=type(error).__name__)


def _answer(group: Sequence[Waiting], answers: Sequence[BatchReport | Exception]) -> None:
    """Wake each event loop once for all its requests."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[Waiting, BatchReport | Exception]]] = {}
    for waiting, answer in zip(group, answers, strict=True):
        of_loop.setdefault(waiting.loop, []).append((waiting, answer))
    for loop, answered in of_loop.items():
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_hand_over, answered)


def _hand_over(answered: Sequence[tuple[Waiting, BatchReport | Exception]]) -> None:
    for waiting, answer in answered:
        if waiting.answer.done():
            continue
        if isinstance(answer, Exception):
            waiting.answer.set_exception(answer)
        else:
            waiting.answer.set_result(answer)


def _count(reports: Sequence[BatchReport]) -> None:
    counts = np.bincount(np.concatenate([report.outcomes for report in reports]), minlength=len(Outcome)).tolist()
    for outcome in Outcome:
        READINGS.labels(outcome.name.lower()).inc(counts[outcome])
    READINGS.labels("rejected").inc(sum(len(report.rejected) for report in reports))


def _is_about_data(error: SQLAlchemyError) -> bool:
    """SQLSTATE 22 (data), 23 (integrity), 54 (too large): sending the same again gives the same."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(state, str) and state[:2] in ("22", "23", "54")
