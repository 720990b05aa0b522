"""Tells other processes which machines have new readings, at most every so often, from a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Collection
from threading import Condition, Thread

import structlog
from sqlalchemy import text

from app.announce import announce
from app.database import Bind, session_scope

log = structlog.get_logger(__name__)

# People look at live pages; twice a second is as live as they can see.
SECONDS_BETWEEN_NOTICES = 0.5


class Notices:
    """A committer's; nothing waits for it. What cannot be told now is told with the next."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._news: set[str] = set()
        self._changed = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="ingest-notices", daemon=True)
        self._thread.start()

    def add(self, machines: Collection[str]) -> None:
        with self._changed:
            if not self._news:
                self._changed.notify()
            self._news.update(machines)

    def stop(self) -> None:
        """What is new is still told."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        next_at = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._news or self._stopping)
                self._changed.wait_for(lambda: self._stopping, timeout=next_at - time.monotonic())
                news, self._news = self._news, set()
                if not news:
                    return
            if not self._tell(news) and not self._stopping:
                self.add(news)
            next_at = time.monotonic() + SECONDS_BETWEEN_NOTICES

    def _tell(self, machines: set[str]) -> bool:
        try:
            with session_scope(self._bind) as session:
                session.execute(text("SET LOCAL synchronous_commit = off"))
                announce(session, "reading", next(iter(machines)) if len(machines) == 1 else None)
        except Exception as error:  # noqa: BLE001  the outermost loop of this thread
            log.warning("live pages not told", kind=type(error).__name__)
            return False
        return True
