"""Reads the queue's tables and puts a job into it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from app.database import Bind
from app.errors import Conflict

# The clock's own jobs come every few seconds and would push everything else off the list.
LIST_JOBS = text("""
    SELECT job.id, task_name AS kind, status::text, attempts,
        min(event.at) FILTER (WHERE event.type = 'deferred') AS asked_at,
        max(event.at) FILTER (WHERE event.type = 'started') AS started_at,
        CASE WHEN status = 'todo' AND scheduled_at > now() THEN scheduled_at END AS left_alone_until,
        max(event.at) FILTER (WHERE event.type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS finished_at,
        (SELECT reason FROM training_failures WHERE job_id = job.id) AS reason
    FROM procrastinate_jobs job LEFT JOIN procrastinate_events event ON event.job_id = job.id
    WHERE status <> 'succeeded' AND (task_name NOT IN ('refresh', 'rescue', 'schedule') OR status = 'failed')
    GROUP BY job.id ORDER BY job.id DESC LIMIT :most
""")


def list_jobs(session: Session, most: int) -> Sequence[RowMapping]:
    return session.execute(LIST_JOBS, {"most": most}).mappings().all()


def ask_for_training(bind: Bind, horizons_hours: list[float] | None, seed: int) -> int:
    """The new job's number; one that is left alone for a while gives way. Raises Conflict where another waits."""
    # Asked for once in weeks; every service process would carry its 4 MiB all the time.
    from procrastinate import App, SyncPsycopgConnector
    from procrastinate.exceptions import AlreadyEnqueued

    conninfo = bind.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    queue = App(connector=SyncPsycopgConnector(conninfo=conninfo, min_size=1, max_size=1))
    task = queue.configure_task("train", lock="train", queueing_lock="train")
    with queue.open():
        for job in queue.job_manager.list_jobs(task="train", status="todo"):
            if job.id is not None and job.scheduled_at is not None and job.scheduled_at > datetime.now(UTC):
                queue.job_manager.cancel_job_by_id(job.id, delete_job=True)
        try:
            return task.defer(horizons_hours=[*horizons_hours] if horizons_hours else None, seed=seed)
        except AlreadyEnqueued as error:
            raise Conflict("A training waits in the queue already.") from error
