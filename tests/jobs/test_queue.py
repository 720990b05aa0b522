"""The worker's own clock asks for a training when one is due, and ever less often while trainings fail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.database import session_scope
from app.errors import BadInput
from app.fleet.tables import Machine
from app.ingest.tables import Channel, Rollup
from app.jobs.back_off import wait_after
from app.jobs.store import list_jobs
from app.jobs.trainings import failed_trainings, note_failed_training
from app.outcomes.tables import OutcomeRevision
from app.risk.tables import Model, Prediction, ServingStint
from ml.jobs.queue import make_queue
from ml.jobs.schedule import training_due

HOUR = timedelta(hours=1)


@pytest.fixture
def ripe(engine):
    """A plant with a few days of data and no model: a training is due."""
    with session_scope(engine) as session:
        machine, channel = Machine(key="press-01"), session.scalars(select(Channel).limit(1)).one()
        session.add(machine)
        session.flush()
        began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=9)
        ids = {"machine_id": machine.id, "channel_id": channel.id}
        session.add(Rollup(**ids, bucket_start=began, n=1, mean=1, min=1, max=1, std=0, last=1))
    return engine


def look_at_the_schedule(engine, settings):
    queue = make_queue(engine, settings)
    with queue.open():
        queue.tasks["schedule"](timestamp=0)


def work(engine, settings, task):
    """One worker does this job and all that follow from it."""

    async def run():
        queue = make_queue(engine, settings)
        async with queue.open_async():
            await queue.tasks[task].defer_async()
            await queue.run_worker_async(wait=False, install_signal_handlers=False)

    asyncio.run(run())


def trainings(engine):
    with session_scope(engine) as session:
        jobs = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'train' ORDER BY id"
        return list(session.scalars(text(jobs)))


def due(engine, settings, later=timedelta(0)):
    with session_scope(engine) as session:
        return training_due(session, settings, datetime.now(UTC) + later, datetime.now(UTC))


def test_the_schedule_asks_for_a_training_once_however_often_it_looks(ripe, settings):
    look_at_the_schedule(ripe, settings)
    look_at_the_schedule(ripe, settings)
    assert trainings(ripe) == ["todo"]


def test_while_a_training_runs_no_second_is_asked_for(ripe, settings):
    look_at_the_schedule(ripe, settings)
    with session_scope(ripe) as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    look_at_the_schedule(ripe, settings)
    assert trainings(ripe) == ["doing"]


def test_a_plant_where_nothing_is_due_gets_no_training(engine, settings):
    look_at_the_schedule(engine, settings)
    assert trainings(engine) == []


def test_a_failed_training_says_why_and_waits(ripe, settings, monkeypatch):
    def fail(*_, **__):
        raise BadInput("There is nothing to learn from.")

    monkeypatch.setattr("ml.jobs.queue.train", fail)
    work(ripe, settings, "train")
    assert trainings(ripe) == ["failed"]
    look_at_the_schedule(ripe, settings)
    assert trainings(ripe) == ["failed"]
    with session_scope(ripe) as session:
        [job] = [job for job in list_jobs(session, 10) if job["kind"] == "train"]
        assert job["reason"] == failed_trainings(session).reason == "There is nothing to learn from."
    assert due(ripe, settings, HOUR - timedelta(minutes=1)) is None
    assert due(ripe, settings, HOUR) == "there is data and no model yet"


def test_an_error_nobody_foresaw_is_named_by_its_kind_and_first_line(ripe, settings, monkeypatch):
    def fail(*_, **__):
        raise ValueError("Input contains NaN.\nmore \0 lines")

    monkeypatch.setattr("ml.jobs.queue.train", fail)
    work(ripe, settings, "train")
    with session_scope(ripe) as session:
        assert failed_trainings(session).reason == "ValueError: Input contains NaN."


def test_the_more_failed_in_a_row_the_longer_until_a_model_comes(ripe, settings):
    for number in (1, 2, 3):
        with session_scope(ripe) as session:
            note_failed_training(session, number, "no memory" * 1000)
    assert due(ripe, settings, 4 * HOUR - timedelta(minutes=1)) is None
    assert due(ripe, settings, 4 * HOUR) is not None
    with session_scope(ripe) as session:
        assert len(failed_trainings(session).reason) == 500
        session.add(
            Model(kind="lstm", run="r", trained_until=datetime.now(UTC), bucket_seconds=3600,
                  horizons_hours=[24.0], modes=[], card={}, manifest={})
        )  # fmt: skip
    with session_scope(ripe) as session:
        assert failed_trainings(session) is None
        note_failed_training(session, 3, "taken up again, and failed again")
    with session_scope(ripe) as session:
        assert failed_trainings(session).in_a_row == 1


def test_waits_double_from_an_hour_to_a_day():
    hours = [wait_after(failures) / HOUR for failures in (0, 1, 2, 3, 4, 5, 6, 7, 100_000)]
    assert hours == [0, 1, 2, 4, 8, 16, 24, 24, 24]


def test_the_worker_keeps_the_ledger_of_outcomes(engine, settings):
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        machine = Machine(key="press-01")
        model = Model(
            kind="ensemble", status="champion", run="r", trained_until=now,
            stints=[ServingStint(started_at=now - 9 * HOUR)], bucket_seconds=3600, horizons_hours=[168.0],
            modes=[], card={}, manifest={},
        )  # fmt: skip
        session.add_all([machine, model])
        session.flush()
        said = {"horizons_hours": [168.0], "probabilities": [0.5], "coverage": 1.0, "scored_at": now - HOUR}
        session.add(Prediction(machine_id=machine.id, model_id=model.id, as_of=now - HOUR, **said))
    for _ in range(2):
        work(engine, settings, "outcomes")
    with session_scope(engine) as session:
        (kept,) = session.scalars(select(OutcomeRevision)).all()
    assert (kept.machine_id, kept.outcome, kept.at) == (1, "open", now - HOUR)
