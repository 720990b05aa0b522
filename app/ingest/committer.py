"""Group commit: requests that wait at the same time share one transaction.

A request is answered only after the commit that holds it. Nothing is buffered beyond the requests that wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import structlog

from app.database import Bind
from app.errors import Unavailable
from app.ingest.group import Batch, BatchReport
from app.ingest.merging import Outcome
from app.ingest.notices import Notices
from app.ingest.transactions import MOST_ROWS_CHECKED, Answers, Transactions
from app.ingest.waiting import Line, Tell, Waiting
from app.metrics import READINGS
from app.settings import Settings

log = structlog.get_logger(__name__)

# With more the first of the group waits and nothing is saved.
MOST_ROWS_TOGETHER = MOST_ROWS_CHECKED
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
GATHER_SECONDS = 0.003
REQUESTS_WORTH_A_COMMIT = 24
ROWS_WORTH_A_COMMIT = 500


class Committer:
    """Belongs to the event loop of those who submit; answers each batch once it is committed or has failed."""

    def __init__(self, bind: Bind, settings: Settings) -> None:
        self.commits = 0
        self._transactions = Transactions(bind, settings)
        self._late_after = settings.late_after
        self._live = Line(MOST_ROWS_WAITING, MOST_REQUESTS_WAITING, RETRY_AFTER_SECONDS)
        self._backfill = Line(MOST_BACKFILL_ROWS_WAITING, MOST_REQUESTS_WAITING, BACKFILL_RETRY_AFTER_SECONDS)
        self._notices = Notices(bind)
        self._gathering: asyncio.TimerHandle | None = None
        self._several = self._gathered = self._stopping = False
        self._ended = asyncio.Event()

    def submit(self, batch: Batch) -> asyncio.Future[BatchReport]:
        """Raises TooBusy where too much waits already, Unavailable while stopping."""
        answer: asyncio.Future[BatchReport] = asyncio.get_running_loop().create_future()
        self.hand_in(batch, partial(_resolve, answer), answer.cancelled)
        return answer

    def hand_in(self, batch: Batch, tell: Tell, gave_up: Callable[[], bool]) -> None:
        """As `submit`, for those who need no future: `tell` is called once, unless `gave_up` says yes before."""
        self._check_running()
        # Not one of its readings is of today; a batch that holds both is treated as live.
        line = self._backfill if batch.is_before(datetime.now(UTC) - self._late_after) else self._live
        line.add(Waiting(batch, tell, gave_up))
        self._begin_where_due()

    def check_room(self) -> None:
        """What `submit` would raise for a batch of today: before its body is read, and before it is decoded."""
        self._check_running()
        self._live.check_room()

    def _check_running(self) -> None:
        if self._stopping:
            raise Unavailable("The service is stopping.", retry_after=RETRY_AFTER_SECONDS)

    async def stop(self) -> None:
        """Refuse new batches, commit and answer those that wait."""
        self._stopping = True
        self._begin_where_due()
        while self._waiting or self._transactions.under_way:
            self._ended.clear()
            await self._ended.wait()
        await self._transactions.close()
        await asyncio.to_thread(self._notices.stop)

    @property
    def _waiting(self) -> int:
        return len(self._live) + len(self._backfill)

    def _begin_where_due(self) -> None:
        """A few small ones get no second transaction, and where several came together lately they are kept for a
        moment, until more can share their commit.
        """
        while self._waiting and self._transactions.has_room:
            many = self._live.rows + self._backfill.rows >= ROWS_WORTH_A_COMMIT
            worth = many or self._waiting >= REQUESTS_WORTH_A_COMMIT or self._gathered or self._stopping
            if self._transactions.under_way and not many:
                return
            if self._several and not worth:
                if self._gathering is None:
                    self._gathering = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._gather_no_more)
                return
            self._begin()

    def _gather_no_more(self) -> None:
        self._gathering, self._gathered = None, True
        self._begin_where_due()

    def _begin(self) -> None:
        if self._gathering:
            self._gathering.cancel()
            self._gathering = None
        self._gathered = False
        group = self._live.take(MOST_ROWS_TOGETHER)
        group += self._backfill.take(BACKFILL_ROWS_TOGETHER if group else MOST_ROWS_TOGETHER)
        if group:
            self._several = len(group) > 1
            self._transactions.begin([each.batch for each in group], lambda answers: self._end(group, answers))

    def _end(self, group: Sequence[Waiting], answers: Answers) -> None:
        """The next begins first: the database works while those of this group are answered."""
        self._begin_where_due()
        for waiting, answer in zip(group, answers, strict=True):
            with _going_on():
                waiting.tell(answer)
        with _going_on():
            self._note([(waiting.batch, answer) for waiting, answer in zip(group, answers, strict=True)])
        self._ended.set()

    def _note(self, answered: Sequence[tuple[Batch, BatchReport | Exception]]) -> None:
        stored = [(batch, report) for batch, report in answered if isinstance(report, BatchReport)]
        if stored:
            self.commits += 1
            self._notices.add({key for batch, _ in stored for key in batch.machines})
            _count([report for _, report in stored])


@contextmanager
def _going_on() -> Iterator[None]:
    """One who cannot be told, or a counter that cannot be written, keeps nobody else waiting."""
    try:
        yield
    except Exception:
        log.exception("the committer goes on after an error")


def _resolve(answer: asyncio.Future[BatchReport], found: BatchReport | Exception) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


def _count(reports: Sequence[BatchReport]) -> None:
    for outcome in Outcome:
        READINGS.labels(outcome.name.lower()).inc(sum(report.counts[outcome] for report in reports))
    READINGS.labels("rejected").inc(sum(len(report.rejected) for report in reports))
