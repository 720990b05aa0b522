"""Small makers of stored things, shared by the tests of several rooms; conftest.py makes them fixtures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.fleet.tables import Machine
from app.risk.tables import LatestPrediction, Model, Prediction, ServingStint

HORIZONS_HOURS = [24.0, 72.0, 168.0, 336.0, 720.0]


def at(text_: str) -> datetime:
    """`at("2026-11-20 08:00")` in UTC."""
    return datetime.fromisoformat(text_).replace(tzinfo=UTC)


@pytest.fixture
def make_model(session: Session) -> Callable[..., Model]:
    def make(status: str = "champion", served_until: datetime | None = None, **columns: object) -> Model:
        """It served from `promoted_at` on, without `served_until` for ever as champion, else not at all."""
        given = {
            "kind": "ensemble",
            "run": "20261120",
            "trained_until": at("2026-11-01 00:00"),
            "promoted_at": at("2026-11-02 00:00") if status != "candidate" else None,
            "bucket_seconds": 3600,
            "horizons_hours": HORIZONS_HOURS,
            "modes": [],
            "card": {},
            "manifest": {},
        }
        model = Model(status=status, **(given | columns))
        if model.promoted_at is not None:
            ended_at = served_until or (None if status == "champion" else model.promoted_at)
            model.stints.append(ServingStint(started_at=model.promoted_at, ended_at=ended_at))
        session.add(model)
        session.flush()
        return model

    return make


@pytest.fixture
def make_prediction(session: Session) -> Callable[..., Prediction]:
    """A stored prediction, served unless latest=False; `probabilities` run along the model's horizons."""

    def make(machine: Machine, model: Model, as_of: datetime, latest: bool = True, **columns: object) -> Prediction:
        given = {
            "horizons_hours": model.horizons_hours,
            "probabilities": [0.01, 0.03, 0.08, 0.15, 0.3],
            "coverage": 1.0,
        }
        prediction = Prediction(machine_id=machine.id, model_id=model.id, as_of=as_of, **(given | columns))
        session.add(prediction)
        session.flush()
        if latest:
            session.merge(LatestPrediction(machine_id=machine.id, prediction_id=prediction.id))
            session.flush()
        return prediction

    return make


def partition_of(measured_at: datetime) -> str:
    month = measured_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (month + timedelta(days=32)).replace(day=1)
    return (
        f"CREATE TABLE readings_of_test_{month:%Y_%m} PARTITION OF readings "
        f"FOR VALUES FROM ('{month.isoformat()}') TO ('{following.isoformat()}')"
    )


@pytest.fixture
def make_reading(session: Session) -> Callable[..., SimpleNamespace]:
    """One stored reading; makes a partition for its month where there is none."""

    def make(machine: Machine, measured_at: datetime, **values: float) -> SimpleNamespace:
        row = {"temperature_c": None, "vibration_mm_s": None, "current_a": None, "runtime_hours": None} | values
        insert = text(
            "INSERT INTO readings (machine_id, measured_at, temperature_c, vibration_mm_s, current_a, "
            "runtime_hours) VALUES (:machine_id, :measured_at, :temperature_c, :vibration_mm_s, :current_a, "
            ":runtime_hours)"
        )
        values_ = {"machine_id": machine.id, "measured_at": measured_at, **row}
        try:
            with session.begin_nested():
                session.execute(insert, values_)
        except IntegrityError:
            session.execute(text(partition_of(measured_at)))
            session.execute(insert, values_)
        return SimpleNamespace(machine_id=machine.id, measured_at=measured_at, **row)

    return make
