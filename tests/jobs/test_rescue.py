"""The queue after a worker's death: its job is taken up again, and holds up nobody who waits."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from ml.jobs.queue import make_queue

# A worker that died is forgotten: its job is under way and has nobody.
JOB = text(
    """INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status)
    VALUES ('default', 'refresh', 'refresh', 'refresh', CAST(:status AS procrastinate_job_status))"""
)


async def rescue(queue):
    async with queue.open_async():
        await queue.tasks["rescue"].func(0)


@pytest.mark.parametrize(
    ("before", "after"), [(["doing"], ["todo"]), (["doing", "todo"], ["failed", "todo"]), (["todo"], ["todo"])]
)
def test_a_dead_workers_job_waits_again_unless_one_like_it_does(engine, settings, before, after):
    with engine.begin() as connection:
        for status in before:
            connection.execute(JOB, {"status": status})
    asyncio.run(rescue(make_queue(engine, settings)))
    with engine.connect() as connection:
        found = connection.scalars(text("SELECT status::text FROM procrastinate_jobs ORDER BY id")).all()
    assert found == after
