"""The job queue in the database: what the worker does by the clock and on demand, on as many hosts as there are."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import DeleteJobCondition, Status
from sqlalchemy import Engine

from app.database import session_scope
from app.errors import WearwatchError
from app.ingest.rollup import ensure_bucket_width
from app.jobs.back_off import wait_after
from app.jobs.trainings import note_failed_training
from app.logs import configure_logs
from app.planning.store import plan_due
from app.risk.store import champion
from app.settings import Settings
from app.webhooks.delivery import deliver
from ml.jobs.courtesy import give_way
from ml.jobs.memory import Memory
from ml.jobs.monitor import monitor
from ml.jobs.outcomes import keep_outcomes
from ml.jobs.plan import plan
from ml.jobs.refresh import refresh
from ml.jobs.schedule import training_due
from ml.jobs.storage import keep_storage
from ml.jobs.train import train
from ml.jobs.what_if import what_if

log = structlog.get_logger()

# Six fields: the last is seconds. New readings are rolled up, and new risk is visible, within about this time.
REFRESH_CRON = "* * * * * */5"
STORAGE_CRON = "7 * * * *"
SCHEDULE_CRON = "*/10 * * * *"
# Horizons end whether anything is scored or not.
OUTCOMES_CRON = "4-59/10 * * * *"
# At night, when the last day is whole.
MONITOR_CRON = "23 3 * * *"
RESCUE_CRON = "* * * * * */30"
WEBHOOKS_CRON = "* * * * * */5"
# A worker that gave no sign of life for so long is taken for dead, and its job is taken up again.
DEAD_AFTER_SECONDS = 30
# One job of each kind may run beside another: scoring goes on while a model trains, a plan is sought, readings
# are packed or a receiver of webhooks is waited for.
CONCURRENCY = 5
# How long a job under way may take to end when the worker is told to stop.
GRACE_SECONDS = 20
RECONNECT_SECONDS = 2


def make_queue(engine: Engine, settings: Settings) -> App:
    """The queue with its tasks; `lock` keeps two workers from doing the same thing at once."""
    conninfo = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    queue = App(connector=PsycopgConnector(conninfo=conninfo))
    memory, began = Memory.empty(settings), datetime.now(UTC)

    @queue.periodic(cron=REFRESH_CRON)
    @queue.task(name="refresh", lock="refresh", queueing_lock="refresh")
    def refresh_task(timestamp: int) -> None:
        for due in refresh(engine, settings, memory):
            with suppress(AlreadyEnqueued):
                queue.tasks[due].defer()

    @queue.task(name="plan", lock="plan", queueing_lock="plan")
    def plan_task() -> None:
        # Asked for again while one was made that knew already.
        with session_scope(engine) as session:
            if not plan_due(session):
                return
        log.info("planned", plan=plan(engine, settings).summary)

    @queue.periodic(cron=OUTCOMES_CRON)
    @queue.task(name="outcomes", lock="outcomes", queueing_lock="outcomes")
    def outcomes_task(timestamp: int | None = None) -> None:
        added = keep_outcomes(engine, settings)
        if added:
            log.info("outcomes kept", revisions=added)

    @queue.task(name="what_if", lock="what_if", pass_context=True)
    def what_if_task(context: JobContext, question: dict[str, Any]) -> None:
        assert context.job.id is not None
        what_if(engine, settings, context.job.id, question)

    @queue.task(name="train", lock="train", queueing_lock="train", pass_context=True)
    def train_task(context: JobContext, horizons_hours: list[float] | None = None, seed: int = 0) -> None:
        horizons = [timedelta(hours=hours) for hours in horizons_hours] if horizons_hours else None
        try:
            result = train(
                engine, settings, until=None, horizons=horizons, seed=seed, promote=settings.promote == "gate"
            )
        except Exception as error:
            assert context.job.id is not None
            with session_scope(engine) as session:
                note_failed_training(session, context.job.id, _reason(error))
            raise
        log.info("trained", verdict=result.verdict)

    @queue.periodic(cron=SCHEDULE_CRON)
    @queue.task(name="schedule", queueing_lock="schedule")
    def schedule_task(timestamp: int) -> None:
        with session_scope(engine) as session:
            why = training_due(session, settings, datetime.now(UTC), began)
        if why is not None:
            log.info("training is due", why=why)
            with suppress(AlreadyEnqueued):
                train_task.defer()

    @queue.periodic(cron=STORAGE_CRON)
    @queue.task(name="storage", lock="storage", queueing_lock="storage", pass_context=True)
    def storage_task(context: JobContext, timestamp: int) -> None:
        keep_storage(engine, settings, context.should_abort)

    @queue.periodic(cron=MONITOR_CRON)
    @queue.task(name="monitor", lock="monitor", queueing_lock="monitor")
    def monitor_task(timestamp: int) -> None:
        with session_scope(engine) as session:
            serves = champion(session) is not None
        if serves:
            report = monitor(engine, settings)
            log.info("monitored", model=report.model_id, verdict=report.body["verdict"])

    @queue.periodic(cron=WEBHOOKS_CRON)
    @queue.task(name="webhooks", lock="webhooks", queueing_lock="webhooks", pass_context=True)
    def webhooks_task(context: JobContext, timestamp: int) -> None:
        deliver(engine, settings, context.should_abort)

    @queue.periodic(cron=RESCUE_CRON)
    @queue.task(name="rescue", queueing_lock="rescue")
    async def rescue_task(timestamp: int) -> None:
        for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_SECONDS):
            log.warning("job taken up again", task=job.task_name, job=job.id)
            # At once the first time; a training that ends its worker again and again would let nothing else run.
            wait = wait_after(job.attempts) if job.task_name == "train" else timedelta(0)
            try:
                await queue.job_manager.retry_job(job, retry_at=datetime.now(UTC) + wait)
            except UniqueViolation:
                # One like it waits already, and would do so for ever: the dead one holds the lock of both.
                await queue.job_manager.finish_job(job, Status.FAILED, delete_job=False)

    return queue


def _reason(error: Exception) -> str:
    """One sentence for people: ours are sentences, of others the kind helps whoever looks into the log."""
    if isinstance(error, WearwatchError):
        return error.detail
    first = str(error).partition("\n")[0].replace("\0", "").rstrip(".")
    return f"{type(error).__name__}: {first}." if first else f"{type(error).__name__}."


def run_worker(engine: Engine, settings: Settings) -> None:
    """Work until stopped; SIGTERM lets the job under way finish, a restart of the database is waited for."""
    configure_logs(settings)
    give_way()
    # It tells of every job twice, every few seconds.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    with session_scope(engine) as session:
        ensure_bucket_width(session, settings)
    asyncio.run(_work(engine, settings))


async def _work(engine: Engine, settings: Settings) -> None:
    """The library's worker ends without a word when it loses the database; only a signal ends ours."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    while not told.is_set():
        round_ = asyncio.create_task(_round(make_queue(engine, settings)))
        stop = asyncio.create_task(told.wait())
        await asyncio.wait({round_, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        round_.cancel()
        try:
            await round_
        except asyncio.CancelledError:
            continue
        except (ConnectorException, psycopg.Error) as error:
            log.warning("the database is away", error=str(error))
        await asyncio.sleep(RECONNECT_SECONDS)


async def _round(queue: App) -> None:
    async with queue.open_async():
        await queue.run_worker_async(
            concurrency=CONCURRENCY,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            stalled_worker_timeout=DEAD_AFTER_SECONDS,
            shutdown_graceful_timeout=GRACE_SECONDS,
            install_signal_handlers=False,
        )
