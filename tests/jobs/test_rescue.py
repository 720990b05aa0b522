"""The queue after a worker's death: its job is taken up again, and holds up nobody who waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.database import session_scope
from app.errors import Conflict
from app.jobs.store import ask_for_training, list_jobs
from ml.jobs.queue import make_queue

# A worker that died is forgotten: its job is under way and has nobody.
JOB = text(
    """INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status)
    VALUES ('default', 'refresh', 'refresh', 'refresh', CAST(:status AS procrastinate_job_status))"""
)
TRAINING = text(
    """INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status, attempts)
    VALUES ('default', 'train', 'train', 'train', 'doing', :attempts)"""
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


@pytest.mark.parametrize(("before", "hours"), [(0, 0), (1, 1), (2, 2)])
def test_a_training_that_ended_its_worker_is_taken_up_at_once_and_then_ever_later(engine, settings, before, hours):
    with engine.begin() as connection:
        connection.execute(TRAINING, {"attempts": before})
    asyncio.run(rescue(make_queue(engine, settings)))
    with engine.connect() as connection:
        wait = connection.scalar(text("SELECT scheduled_at - now() FROM procrastinate_jobs WHERE status = 'todo'"))
    assert wait / timedelta(hours=1) == pytest.approx(hours, abs=0.01)
    with session_scope(engine) as session:
        [told] = list_jobs(session, 10)
    assert (told["left_alone_until"] is not None) == (hours > 0)


def test_a_training_asked_for_takes_the_place_of_one_that_is_left_alone(engine, settings):
    with engine.begin() as connection:
        connection.execute(TRAINING, {"attempts": 1})
    asyncio.run(rescue(make_queue(engine, settings)))
    asked = ask_for_training(engine, None, seed=7)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, args ->> 'seed', scheduled_at FROM procrastinate_jobs")).all()
    assert found == [(asked, "7", None)]
    with session_scope(engine) as session:
        [told] = list_jobs(session, 10)
    assert (told["attempts"], told["left_alone_until"]) == (0, None)
    with pytest.raises(Conflict):
        ask_for_training(engine, None, seed=8)
