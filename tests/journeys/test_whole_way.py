"""The whole way of a reading: posted, stored, rolled up, learnt from, scored, planned, shown; nothing replaced."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from app.database import session_scope
from app.fleet.importing import import_events, import_machines
from app.main import create_app
from app.risk.actions import promote
from app.security.keys import create_key
from app.security.principal import Role
from app.settings import Settings
from ml.jobs.plan import plan
from ml.jobs.refresh import refresh
from ml.jobs.train import train
from ml.simulate.fleet import SimulatedFleet, simulate_fleet, write_csvs

HORIZONS = [timedelta(days=days) for days in (1, 3, 7)]
ROWS_A_POST = 5_000


@pytest.fixture(scope="module")
def plant() -> SimulatedFleet:
    return simulate_fleet(machines=14, days=60, seed=11)


def post_all(client: TestClient, headers: dict[str, str], readings: pd.DataFrame) -> int:
    """Every reading over HTTP, gzipped; how many were acknowledged."""
    accepted = 0
    for start in range(0, len(readings), ROWS_A_POST):
        rows = json.loads(readings.iloc[start : start + ROWS_A_POST].to_json(orient="records", date_format="iso"))
        rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
        answer = client.post(
            "/api/v1/readings",
            content=gzip.compress(json.dumps(rows).encode()),
            headers=headers | {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == []
        accepted += answer.json()["accepted"]
    return accepted


def test_readings_posted_over_http_become_a_risk_a_plan_and_a_page(
    engine: Engine, tmp_path: Path, plant: SimulatedFleet
) -> None:
    settings = Settings(data_dir=tmp_path / "data", horizons=tuple(HORIZONS))
    write_csvs(plant, tmp_path)
    import_machines(engine, tmp_path / "machines.csv", lambda share: None)
    import_events(engine, tmp_path / "events.csv", lambda share: None)
    with session_scope(engine) as session:
        sensor, operator = (create_key(session, role, role) for role in (Role.SENSOR, Role.OPERATOR))
    reader = {"Authorization": f"Bearer {operator}"}

    with TestClient(create_app(settings, engine)) as client:
        accepted = post_all(client, {"Authorization": f"Bearer {sensor}"}, plant.readings)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM readings")) == accepted == len(plant.readings)

        trained = train(engine, settings, until=None, horizons=None, seed=1, promote=False)
        numbers = {kind: number for number, kind, _ in trained.rows}
        assert set(numbers) >= {"weibull", "logistic", "random_forest", "lstm", "ensemble"}
        with session_scope(engine) as session:
            promote(session, None, numbers["ensemble"], session.scalar(text("SELECT now()")), unproven=True)
        refresh(engine, settings)

        ranked = client.get("/api/v1/risk?horizon=3d", headers=reader).json()
        assert ranked["total"] == 14
        key = next(each["machine"] for each in ranked["machines"] if each["probability"] is not None)
        risk = client.get(f"/api/v1/machines/{key}/risk", headers=reader).json()
        chances = [each["probability"] for each in risk["probabilities"]]
        assert chances == sorted(chances)
        assert all(0 <= chance <= 1 for chance in chances)
        assert risk["model"]["id"] == numbers["ensemble"]
        assert risk["reasons"]
        assert 0 < risk["coverage"] <= 1

        plan(engine, settings)
        planned = client.get("/api/v1/plan", headers=reader).json()
        assert len(planned["items"]) + len(planned["left_out"]) == 14
        assert all(each["reason"] for each in [*planned["items"], *planned["left_out"]])

        page = client.get(f"/machines/{key}", headers=reader)
        assert page.status_code == 200
        assert f"{chances[-1]:.0%}".rstrip("%") in page.text

        silent = client.get("/api/v1/machines/conveyor-01/risk", headers=reader).json()
        assert silent["status"] == "no_data"
        assert silent["not_enough_data"]
