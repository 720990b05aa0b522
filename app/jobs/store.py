"""Reads the queue's tables and puts a job into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from app.database import Bind
from app.errors import Conflict

if TYPE_CHECKING:
    from procrastinate import App

# The clock's own jobs come every few seconds and would push everything else off the list.
LIST_JOBS = text("""
    SELECT job.id, task_name AS kind, status::text, attempts,
        min(event.at) FILTER (WHERE event.type = 'deferred') AS asked_at,
        max(event.at) FILTER (WHERE event.type = 'started') AS started_at,
        CASE WHEN status = 'todo' AND scheduled_at > now() THEN scheduled_at END AS left_alone_until,
        max(event.at) FILTER (WHERE event.type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS finished_at,
        (SELECT reason FROM training_failures WHERE job_id = job.id) AS reason
    FROM procrastinate_jobs job LEFT JOIN procrastinate_events event ON event.job_id = job.id
    WHERE status <> 'succeeded'
        AND (task_name NOT IN ('refresh', 'rescue', 'schedule', 'webhooks') OR status = 'failed')
    GROUP BY job.id ORDER BY job.id DESC LIMIT :most
""")

# One that failed, or ended its worker again, waits for its time: who asks by hand need not.
TAKE_PLACE = text("""
    UPDATE procrastinate_jobs SET args = CAST(:args AS jsonb), attempts = 0, scheduled_at = NULL
    WHERE task_name = 'train' AND status = 'todo' AND scheduled_at > now() RETURNING id
""")


def list_jobs(session: Session, most: int) -> Sequence[RowMapping]:
    return session.execute(LIST_JOBS, {"most": most}).mappings().all()


@contextmanager
def open_queue(bind: Bind) -> Iterator[App]:
    """The queue as one who asks for work sees it."""
    # Asked for seldom; every service process would carry its 4 MiB all the time.
    from procrastinate import App, SyncPsycopgConnector

    conninfo = bind.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    queue = App(connector=SyncPsycopgConnector(conninfo=conninfo, min_size=1, max_size=1))
    with queue.open():
        yield queue


def ask_for_training(bind: Bind, horizons_hours: list[float] | None, seed: int) -> int:
    """The job's number; one that is left alone for a while becomes it. Raises Conflict where another waits."""
    asked = {"horizons_hours": [*horizons_hours] if horizons_hours else None, "seed": seed}
    with bind.engine.begin() as connection:
        waiting = connection.scalar(TAKE_PLACE, {"args": json.dumps(asked)})
    return int(waiting) if waiting is not None else _defer(bind, asked)


def _defer(bind: Bind, asked: dict[str, Any]) -> int:
    from procrastinate.exceptions import AlreadyEnqueued

    with open_queue(bind) as queue:
        task = queue.configure_task("train", lock="train", queueing_lock="train")
        try:
            return task.defer(**asked)
        except AlreadyEnqueued as error:
            raise Conflict("A training waits in the queue already.") from error
