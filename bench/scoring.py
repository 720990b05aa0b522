"""P13: ten thousand machines scored, from roll-ups to stored predictions, against asking the models row by row."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Engine, text

from app.database import session_scope
from app.settings import Settings
from bench.finding import Figures, Finding, Goal
from bench.measure import out
from bench.stored import database, last_hour, server, settle
from bench.taught import let_serve
from ml.artefacts import Saved
from ml.dataset import read_plant
from ml.features.builder import build
from ml.features.history import Features
from ml.jobs.memory import Memory
from ml.jobs.moment import fleet_at
from ml.jobs.score import Fleet, score
from ml.models.columns import matrix
from ml.models.ensemble import Ensemble
from ml.models.lstm import Lstm
from ml.models.random_forest import RandomForest

MACHINES, DAYS = 10_000, 30
# The peer is asked about so many and counted up.
ASKED_ONE_BY_ONE = 100
LEAST_RATIO, MOST_SECONDS = 100.0, 5.0
HOUR = timedelta(hours=1)
# In the order of time, as the worker writes them; each machine with a level of its own.
FILL = """
    INSERT INTO rollups (machine_id, channel_id, bucket_start, n, mean, min, max, std, last)
    SELECT machine, channels.id, CAST(:since AS timestamptz) + make_interval(secs => :width * number),
        60, v, v - w, v + w, w, v
    FROM generate_series(0, :buckets - 1) AS number CROSS JOIN generate_series(1, :machines) AS machine
    CROSS JOIN (VALUES ('temperature_c', 60, 1), ('vibration_mm_s', 2, 0.1), ('current_a', 14, 0.5),
        ('runtime_hours', 1000, 0)) AS kind (key, level, w) JOIN channels USING (key)
    CROSS JOIN LATERAL (SELECT CASE WHEN key = 'runtime_hours' THEN level + number * :width / 3600.0
        ELSE level * (1 + machine % 17 / 50.0) + w * (random() + sin(number / 4.0)) END AS v) AS value
"""


def measure(rounds: int) -> list[Finding]:
    url, settings = server()
    engine, until = database(url, "scoring", MACHINES), last_hour()
    out.print(f"P13: {DAYS} days of roll-ups of {MACHINES:,} machines ...", style="dim", highlight=False)
    fill(engine, MACHINES, until - timedelta(days=DAYS), DAYS * 24, settings.bucket_seconds)
    let_serve(engine, settings)
    found = Finding("P13", f"{MACHINES:,} machines x {DAYS} days x 4 channels, scored on one core")
    memory = Memory.empty(settings)
    # One core for everything in Python; PostgreSQL has the other.
    os.sched_setaffinity(0, {0})
    begin = until - rounds * HOUR
    found.add("first of a worker: libraries, all roll-ups read", _round(engine, settings, begin, memory))
    for number in range(1, rounds + 1):
        out.print(f"P13: round {number} of {rounds} ...", style="dim", highlight=False)
        found.add("an hour later", _round(engine, settings, begin + number * HOUR, memory))
        found.add("row by row, models alone", _one_by_one(engine, settings, until, memory))
    ratios = found.ratios("s", "row by row, models alone", "an hour later")
    found.goals = [
        Goal("row by row against ours", ratios, LEAST_RATIO),
        Goal("seconds", found.values("an hour later", "s"), MOST_SECONDS, at_most=True),
    ]
    found.remarks = [f"Row by row: {ASKED_ONE_BY_ONE} machines asked, counted up; without features and storing."]
    return [found]


def fill(engine: Engine, machines: int, since: datetime, buckets: int, width: int) -> None:
    given = {"since": since, "buckets": buckets, "machines": machines, "width": width}
    with session_scope(engine) as session:
        session.execute(text(FILL), given)
        session.execute(text("INSERT INTO rollup_state (id, bucket_seconds) VALUES (1, :width)"), given)
    settle(engine)


def _round(engine: Engine, settings: Settings, as_of: datetime, memory: Memory) -> Figures:
    """Seconds in all, and when each stage was over."""
    ends: dict[str, float] = {}
    start = time.perf_counter()
    machines = score(
        engine, settings, as_of, lambda share, doing: ends.update({doing: time.perf_counter() - start}), memory
    )
    took = time.perf_counter() - start
    return {
        "s": took,
        "machines/s": machines / took,
        "read, built and asked": ends["reasons"],
        "reasons": ends["storing"] - ends["reasons"],
        "stored": took - ends["storing"],
    }


def _one_by_one(engine: Engine, settings: Settings, as_of: datetime, memory: Memory) -> Figures:
    with session_scope(engine) as session:
        model_id = next(iter(memory.models))
        fleet = Fleet(session, settings, memory, read_plant(session, settings, until=as_of), model_id)
        group = next(iter(fleet.groups))
        history = fleet.history(group)
        seen = build(history, fleet_at(history, as_of).take(np.arange(ASKED_ONE_BY_ONE)), fleet.saved.features)
    start = time.perf_counter()
    for ask in _askers(fleet.saved, seen):
        for row in range(len(seen)):
            ask(row)
    return {"s": (time.perf_counter() - start) * MACHINES / len(seen)}


def _askers(saved: Saved, seen: Features) -> list[Callable[[int], object]]:
    """Each forest and each network of the model, asked as tutorials do: a row a call."""
    ensemble = saved.fitted.model
    assert isinstance(ensemble, Ensemble)
    forest = next(each for each in ensemble.members if isinstance(each, RandomForest))
    lstm = next(each for each in ensemble.members if isinstance(each, Lstm))
    values = matrix(seen, forest._names)
    blocks, statics = lstm._inputs(seen)
    forests = [each for each in forest._forests if each is not None]
    return [
        *(lambda row, one=one: one.predict_proba(values[row : row + 1]) for one in forests),
        *(
            lambda row, one=one: one.predict([blocks[row : row + 1], statics[row : row + 1]], verbose=0)
            for one in lstm._networks
        ),
    ]
