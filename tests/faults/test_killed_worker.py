"""R16: the worker killed at any moment, or two at once: never half a score set, never half a run; one trains."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, select

from app.database import session_scope
from app.jobs.store import ask_for_training
from app.risk.tables import Model, ModelArtefact
from ml.artefacts import artefact_key
from ml.manifest import check_signed
from ml.models.registry import BASELINES
from tests.faults.form import FULL, many
from tests.faults.small_worker import LEARNT
from tests.faults.work import (
    DOING,
    LIVING,
    PATIENCE_SECONDS,
    ask,
    at_work,
    begin,
    bury,
    count,
    give_work,
    is_written,
    wait_until,
    wait_until_alone,
    waiting,
)
from tests.faults.worker import Worker
from tests.jobs.conftest import plant

__all__ = ["plant"]

KILLS = many("WORKER_KILLS", 8, 50)
# More rows a score, so that storing them takes a while; they have no reading and are told of all the same.
IDLE_MACHINES = 2000
# Longer than a training of these models takes.
LONGEST_SECONDS = 6
# What is killed when: anywhere in the job, or as soon as it writes to this table and a few milliseconds on.
TARGETS = (("refresh", "predictions"), ("train", None), ("refresh", None), ("train", "models"))
MOMENTS_OF_WRITING_SECONDS = 0.05
# A worker is taken for dead after 30 s, looked for every 30 s, and its job waits for the one before.
TAKEN_UP_SECONDS = 75

IDLE = "INSERT INTO machines (key, configured) SELECT 'idle-' || n, true FROM generate_series(1, :n) AS n"
HALF_SETS = """
    SELECT model_id, as_of FROM predictions GROUP BY 1, 2
    HAVING count(*) <> (SELECT count(*) FROM machines) OR count(DISTINCT scored_at) > 1
"""
SERVED_SETS = """
    SELECT model_id, as_of, count(*) FROM latest_predictions JOIN predictions ON predictions.id = prediction_id
    GROUP BY 1, 2
"""
HALF_PLANS = """
    SELECT plan_id FROM plan_items GROUP BY 1 HAVING count(*) <> (SELECT count(*) FROM machines)
"""


@pytest.fixture
def make_worker(plant, tmp_path) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def make() -> Worker:
        url = plant.engine.url.render_as_string(hide_password=False)
        worker = Worker(plant.settings.data_dir, tmp_path / f"worker-{len(workers)}.log", DATABASE_URL=url)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.kill()


def check_whole(plant) -> None:
    engine, key = plant.engine, artefact_key(plant.settings.data_dir)
    assert ask(engine, HALF_SETS) == []
    assert ask(engine, HALF_PLANS) == []
    sets = ask(engine, SERVED_SETS)
    assert [machines for *_, machines in sets] == [count(engine, "SELECT count(*) FROM machines")], sets
    kinds: dict[str, list[str]] = {}
    with session_scope(engine) as session:
        for model in session.scalars(select(Model).order_by(Model.id)):
            stored = select(ModelArtefact.part, ModelArtefact.content).where(ModelArtefact.model_id == model.id)
            check_signed(model.manifest, dict(session.execute(stored).all()), key, f"Model {model.id}")
            kinds.setdefault(model.run, []).append(model.kind)
    first, *later = kinds.values()
    assert first == [kind for _, kind, _ in plant.trained.rows]
    assert all(each == [*BASELINES, *LEARNT] for each in later), later
    assert count(engine, "SELECT count(*) FROM models WHERE status = 'champion'") == 1


def runs(engine: Engine) -> int:
    return count(engine, "SELECT count(DISTINCT run) FROM models")


def kill(engine: Engine, worker: Worker) -> set[str]:
    """What it was doing: jobs, and tables that it was writing to."""
    doing = ask(engine, DOING)
    writing = {relation for _, relation in TARGETS if relation and is_written(engine, relation)}
    worker.kill()
    return {name for (name,) in doing} | writing


@pytest.mark.timeout(300 + 60 * KILLS)
def test_a_killed_worker_leaves_nothing_half_and_its_jobs_are_taken_up_again(plant, make_worker, figures):
    engine, worker, chance = plant.engine, make_worker(), random.Random(16)
    engine.dispose()  # what the training that made the plant has left open
    ask(engine, IDLE, n=IDLE_MACHINES)
    worker.start()
    wait_until(lambda: ask(engine, SERVED_SETS), PATIENCE_SECONDS, worker)
    killed_in, stepped, began = Counter[str](), 0, time.monotonic()
    for number in range(KILLS):
        task, relation = TARGETS[number % len(TARGETS)]
        if not worker.alive:
            worker.start()
        stepped += begin(engine, worker, task, relation)
        time.sleep(chance.uniform(0, MOMENTS_OF_WRITING_SECONDS if relation else LONGEST_SECONDS))
        killed_in.update(kill(engine, worker))
        wait_until_alone(engine)
        check_whole(plant)
        bury(engine)
    seconds, before = time.monotonic() - began, runs(engine)
    worker.start()
    begin(engine, worker, "train", None)
    give_work(engine, "refresh")
    taken_up = wait_until(lambda: not waiting(engine) and runs(engine) > before, PATIENCE_SECONDS, worker, 0.2)
    check_whole(plant)
    figures(
        "R16",
        f"worker killed {KILLS} times",
        seconds=seconds,
        in_score=killed_in["refresh"],
        storing_scores=killed_in["predictions"],
        in_training=killed_in["train"],
        storing_models=killed_in["models"],
        trainings_put_off=stepped,
        runs=runs(engine),
        all_done_after_s=taken_up,
    )
    assert killed_in["refresh"] >= KILLS // 4
    assert killed_in["train"] >= KILLS // 4
    assert killed_in["predictions"] + killed_in["models"] > 0


@pytest.mark.timeout(3 * PATIENCE_SECONDS)
def test_of_two_workers_that_start_at_once_one_trains(plant, make_worker, figures):
    engine, before, most = plant.engine, runs(plant.engine), 0
    workers = [make_worker(), make_worker()]
    ask_for_training(engine, [24.0, 72.0, 168.0], 0)
    for worker in workers:
        worker.start()
    began = time.monotonic()
    wait_until(lambda: len(ask(engine, LIVING)) == 2, PATIENCE_SECONDS, workers[0])
    while waiting(engine):
        most = max(most, at_work(engine, "train"))
        assert time.monotonic() < began + PATIENCE_SECONDS
        time.sleep(0.05)
    assert (runs(engine) - before, most) == (1, 1)
    figures("R16", "two workers, one training asked for", runs=1, seconds=time.monotonic() - began)


@pytest.mark.skipif(not FULL, reason="waits for a minute")
@pytest.mark.timeout(3 * PATIENCE_SECONDS)
def test_a_dead_workers_job_is_taken_up_by_another_without_anybodys_help(plant, make_worker, figures):
    engine, first, other = plant.engine, make_worker(), make_worker()
    before = runs(engine)
    first.start()
    give_work(engine, "train")
    wait_until(lambda: at_work(engine, "train"), PATIENCE_SECONDS, first)
    other.start()
    first.kill()
    began = time.monotonic()
    wait_until(lambda: runs(engine) > before, TAKEN_UP_SECONDS + 60, other)
    scored = count(engine, "SELECT extract(epoch FROM max(scored_at)) FROM predictions")
    give_work(engine, "refresh")
    again = "SELECT extract(epoch FROM max(scored_at)) FROM predictions"
    wait_until(lambda: count(engine, again) > scored, TAKEN_UP_SECONDS, other)
    figures("R16", "a dead worker's training taken up by another", seconds=time.monotonic() - began)
