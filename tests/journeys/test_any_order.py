"""R5: whatever the order of arrival, everything that depends on the readings is the same to the last digit.

Short in CI; `WEARWATCH_FAULTS=full` or `WEARWATCH_ORDERS=20` for more seeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from made_fleet import database_of_its_own
from sqlalchemy import Engine, text

from app.database import session_scope
from app.fleet.tables import Event, Machine
from app.ingest.packer import pack
from app.ingest.rollup import roll_up_all
from app.main import create_app
from app.security.keys import create_key
from app.security.principal import Role
from ml.dataset import load_history, training_moments
from ml.features.builder import build
from ml.features.catalogue import catalogue_for
from ml.models.anomaly import anomalies
from ml.models.random_forest import RandomForest

SEEDS = int(os.environ.get("WEARWATCH_ORDERS", 20 if os.environ.get("WEARWATCH_FAULTS") == "full" else 2))
START, DAYS = datetime(2026, 9, 1, tzinfo=UTC), 36
MACHINES = ("fan-1", "fan-2", "pump-1")
EVERY = timedelta(minutes=30)
# Three hours so dense that their minutes are kept too.
DENSE_FROM, DENSE_EVERY, DENSE = START + timedelta(days=20), timedelta(seconds=10), 3 * 360
LATEST_DAYS = 30
BATCH = 500
HORIZONS = (24.0, 72.0)
TABLES = {
    "every_reading": "machine_id, measured_at, temperature_c, vibration_mm_s, current_a, runtime_hours, extra",
    "rollups": "*",
    "rollup_minutes": "*",
    "reading_flags": "*",
}


def readings(dice):
    """In the order of time, each with every channel."""
    times = [(key, START + n * EVERY) for n in range(int(timedelta(DAYS) / EVERY)) for key in MACHINES]
    times += [(MACHINES[0], DENSE_FROM + timedelta(seconds=1) + n * DENSE_EVERY) for n in range(DENSE)]
    values = dice.normal(size=(len(times), 4)).tolist()
    return [
        {
            "machine": key,
            "measured_at": at.isoformat(),
            "temperature_c": 60 + 7 * a,
            "vibration_mm_s": abs(2 + b) ** 3,
            "current_a": abs(14 + c),
            "runtime_hours": (at - START) / timedelta(hours=1) + 1e-4 * abs(d),
            "extra": {"pressure_bar": 5 + d / 3},
        }
        for (key, at), (a, b, c, d) in sorted(zip(times, values, strict=True), key=lambda each: each[0][1])
    ]


def disturbed(rows, dice):
    """Late by up to 30 days, in parts, some of them twice; every other seed in no order at all."""
    parts = []
    for row in rows:
        late = timedelta(days=LATEST_DAYS * dice.random()) if dice.random() < 0.3 else timedelta()
        arrival = datetime.fromisoformat(row["measured_at"]) + late
        key = {name: row[name] for name in ("machine", "measured_at")}
        some = {name: row[name] for name in ("temperature_c", "extra")}
        rest = {name: row[name] for name in row if name not in key | some}
        for part in [key | some, key | rest] if dice.random() < 0.2 else [row]:
            parts += [(arrival + timedelta(hours=dice.random()), part)] * (2 if dice.random() < 0.1 else 1)
    order = dice.permutation(len(parts)) if dice.random() < 0.5 else np.argsort([when for when, _ in parts])
    return [parts[number][1] for number in order.tolist()]


@contextmanager
def plant(server, template, settings) -> Iterator[tuple[Engine, TestClient]]:
    with database_of_its_own(server, template) as engine:
        with session_scope(engine) as session:
            session.add_all(Machine(key=key, configured=True) for key in MACHINES)
            session.flush()
            for machine in range(1, 4):
                at = START + timedelta(days=12 + 6 * machine)
                session.add(Event(machine_id=machine, kind="failure", code="VIB", started_at=at))
            key = create_key(session, "gateway", Role.ADMIN)
        with TestClient(create_app(settings, engine)) as client:
            client.headers["authorization"] = f"Bearer {key}"
            yield engine, client


def send(client, rows):
    for first in range(0, len(rows), BATCH):
        answer = client.post("/api/v1/readings", content=json.dumps(rows[first : first + BATCH]))
        assert answer.status_code == 200, answer.text
        assert not answer.json()["conflicts"]
        assert not answer.json()["rejected"]
        yield


def disturb(engine, settings, dice):
    """What the worker does meanwhile."""
    if dice.random() < 0.3:
        roll_up_all(engine, settings)
    if dice.random() < 0.2:
        now = datetime.now(UTC) + timedelta(hours=2)
        pack(engine, now, now - START - timedelta(days=DAYS * dice.random()))


def tables(engine):
    with engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT {columns} FROM {name} ORDER BY 1, 2, 3")).all()
            for name, columns in TABLES.items()
        }


def charts(client):
    spans = [(0, DAYS), (20, 20.2), (19.99, 21.013), (3.3, 30.7)]
    for key in MACHINES:
        for since, until in spans:
            query = {"from": START + timedelta(days=since), "to": START + timedelta(days=until)}
            for points in (50, 2000):
                yield client.get(f"/api/v1/machines/{key}/readings", params=query | {"max_points": points}).text


def learned(engine, settings):
    """Features of every moment and what a small model, fitted on them, says of them."""
    with session_scope(engine) as session:
        history = load_history(session, settings)
    moments, outcomes = training_moments(history, None, HORIZONS, seed=1)
    features = build(history, moments, catalogue_for(history.events, history.channels, history.bucket_seconds))
    forest = RandomForest(trees_in_all=8).fit(features, outcomes, seed=1)
    return features.values, features.blocks, forest.hazards(features), anomalies(history, moments).score


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_order_of_arrival_ends_in_the_same(server, template, settings, seed):
    dice = np.random.default_rng(seed)
    rows = readings(dice)
    with plant(server, template, settings) as (engine, client):
        for _ in send(client, rows):
            pass
        roll_up_all(engine, settings)
        in_order = tables(engine), list(charts(client)), learned(engine, settings)
    assert all(in_order[0][name] for name in ("every_reading", "rollups", "rollup_minutes"))
    with plant(server, template, settings) as (engine, client):
        for _ in send(client, disturbed(rows, dice)):
            disturb(engine, settings, dice)
        roll_up_all(engine, settings)
        found = tables(engine), list(charts(client)), learned(engine, settings)
    for name, table in in_order[0].items():
        assert found[0][name] == table, name
    assert found[1] == in_order[1]
    for ours, theirs in zip(found[2], in_order[2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
