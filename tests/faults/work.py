"""What a worker has in hand, as its database tells it, and work given to it."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine, text

from app.database import session_scope
from app.jobs.store import ask_for_training
from app.jobs.trainings import training_under_way
from tests.faults.worker import Worker

# Nothing is promised of how soon work begins: a worker starts in seconds, in a minute where others are busy.
PATIENCE_SECONDS = 300
LIVING = "SELECT id FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 seconds'"
DOING = f"SELECT task_name FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IN ({LIVING})"
WRITING = """
    SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE mode = 'RowExclusiveLock' AND relname = :relation AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# A training that ended its worker twice is left alone for an hour, then for two: time is stepped forward instead.
HOURS_PASS = """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE task_name = 'train' AND status = 'todo' AND scheduled_at > now() RETURNING id
"""
SESSIONS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def ask(engine: Engine, statement: str, **given: object) -> list[tuple]:
    with engine.begin() as connection:
        result = connection.execute(text(statement), given)
        return [tuple(row) for row in result] if result.returns_rows else []


def count(engine: Engine, statement: str, **given: object) -> int:
    return ask(engine, statement, **given)[0][0]


def at_work(engine: Engine, task: str) -> int:
    """How many workers are at it."""
    return ask(engine, DOING).count((task,))


def is_written(engine: Engine, relation: str) -> bool:
    return count(engine, WRITING, relation=relation) > 0


def wait_until(true: Callable[[], object], most_seconds: float, worker: Worker, every: float = 0.02) -> float:
    """Seconds it took."""
    began = time.monotonic()
    while not true():
        told = worker.log.read_text()[-2000:]
        assert worker.alive, told
        assert time.monotonic() < began + most_seconds, told
        time.sleep(every)
    return time.monotonic() - began


def give_work(engine: Engine, task: str) -> None:
    """An event makes a score due; a training is asked for where none waits or runs, be it with a dead worker."""
    if task == "refresh":
        ask(engine, "INSERT INTO events (machine_id, kind, code, started_at) VALUES (1, 'fault_code', 'E1', now())")
        return
    with session_scope(engine) as session:
        under_way = training_under_way(session)
    if not under_way:
        ask_for_training(engine, [24.0, 72.0, 168.0], 0)


def bury(engine: Engine) -> None:
    """What half a minute after a death would bring: the dead are known as such, and looked for at once."""
    ask(engine, "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")
    waits = "SELECT count(*) FROM procrastinate_jobs WHERE queueing_lock = 'rescue' AND status = 'todo'"
    if not count(engine, waits):
        ask(
            engine,
            """INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)
            VALUES ('default', 'rescue', 'rescue', '{"timestamp": 0}')""",
        )


def begin(engine: Engine, worker: Worker, task: str, relation: str | None) -> int:
    """Until the worker is at this, and writes to that table; how often a training had to be stepped forward to."""
    stepped = 0

    def in_hand() -> int:
        nonlocal stepped
        stepped += len(ask(engine, HOURS_PASS))
        return at_work(engine, task)

    while True:
        give_work(engine, task)
        wait_until(in_hand, PATIENCE_SECONDS, worker)
        if relation is None or seen_writing(engine, worker, task, relation):
            return stepped


def seen_writing(engine: Engine, worker: Worker, task: str, relation: str) -> bool:
    """False where the job was over before anybody saw it write."""

    wait_until(
        lambda: is_written(engine, relation) or not at_work(engine, task), PATIENCE_SECONDS, worker, every=0.005
    )
    return is_written(engine, relation)


def wait_until_alone(engine: Engine) -> None:
    """PostgreSQL goes on with what a dead client had asked for; one session is our own."""
    deadline = time.monotonic() + 30
    while count(engine, SESSIONS):
        assert time.monotonic() < deadline, "a session of the dead worker stays"
        time.sleep(0.02)


def waiting(engine: Engine) -> list[tuple]:
    """Trainings that are not over, and jobs whose worker is gone; the clock's own that have just come aside."""
    return ask(
        engine,
        """SELECT task_name, status FROM procrastinate_jobs
        WHERE task_name = 'train' AND status IN ('todo', 'doing') OR status = 'doing' AND worker_id IS NULL""",
    )
