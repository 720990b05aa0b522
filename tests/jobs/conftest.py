"""A small simulated plant in a database of its own, imported and trained once, for all tests of the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from made_fleet import database_of_its_own
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from app.database import session_scope
from app.fleet.importing import import_events, import_machines
from app.ingest.importing import import_readings
from app.risk.actions import promote
from app.risk.tables import LatestPrediction, Model, ModelArtefact, Prediction, ServingStint
from app.settings import Settings
from ml.jobs.train import Trained, train
from ml.models.lstm import Lstm
from ml.models.random_forest import RandomForest
from ml.models.registry import KINDS
from ml.simulate.fleet import simulate_fleet, write_csvs

# The simulator lets its second machine fall silent some 30 h before the end.
UNTIL = datetime(2025, 6, 1, tzinfo=UTC)
TRAINED_UNTIL = UNTIL - timedelta(days=12)
DAYS, MACHINES, SILENT = 60, 10, 1
HORIZONS = (timedelta(hours=24), timedelta(hours=72), timedelta(hours=168))
TINY = {
    "random_forest": lambda: RandomForest(trees_in_all=8),
    "lstm": lambda: Lstm(members=1, epochs=1, units=4, dense=8),
}

HOURS, LEFT_AT = 400, 330
START = UNTIL - timedelta(hours=HOURS)
UNLABELLED_UNTIL = START + timedelta(hours=LEFT_AT)


@dataclass(frozen=True)
class Plant:
    engine: object
    settings: Settings
    machines: list[str]
    trained: Trained
    serving: int


@pytest.fixture(scope="package")
def plant(server, template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    settings = Settings(data_dir=folder / "data")
    fleet = simulate_fleet(MACHINES, DAYS, UNTIL, seed=3)
    write_csvs(fleet, folder)
    with database_of_its_own(server, template) as engine, pytest.MonkeyPatch.context() as patch:
        import_machines(engine, folder / "machines.csv", ignored)
        import_events(engine, folder / "events.csv", ignored)
        import_readings(engine, settings, folder / "readings.csv", ignored)
        for kind, make in TINY.items():
            patch.setitem(KINDS, kind, make)
        trained = train(engine, settings, until=TRAINED_UNTIL, horizons=HORIZONS, seed=1, promote=False)
        patch.undo()
        serving = next(number for number, kind, _ in trained.rows if kind == "ensemble")
        with session_scope(engine) as session:
            promote(session, None, serving, datetime.now(UTC), unproven=True)
        yield Plant(engine, settings, list(fleet.machines["key"]), trained, serving)


@pytest.fixture
def session_of_plant(plant):
    """A session on the plant's database; what a test changes is rolled back."""
    with plant.engine.connect() as connection, Session(connection) as session:
        yield session


@pytest.fixture
def unlabelled(engine, settings, tmp_path):
    """Two machines, of which the second leaves its normal 70 hours before the end."""
    draw = np.random.default_rng(4)
    parts = []
    for key in ("calm", "wild"):
        load = draw.normal(size=HOURS)
        vibration = (
            2 + 0.3 * load + 0.1 * draw.normal(size=HOURS) + 2.0 * (key == "wild") * (np.arange(HOURS) >= LEFT_AT)
        )
        at = pd.date_range(START, periods=HOURS, freq="h")
        parts.append(
            pd.DataFrame(
                {"machine": key, "measured_at": at, "temperature_c": 60 + 2 * load, "vibration_mm_s": vibration}
            )
        )
    path = tmp_path / "readings.csv"
    pd.concat(parts).to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    import_readings(engine, settings, path, ignored)
    yield engine
    with session_scope(engine) as session:
        # Nobody else forgets who served: the table refuses it.
        session.execute(text("ALTER TABLE serving_stints DISABLE TRIGGER USER"))
        for table in (LatestPrediction, Prediction, ModelArtefact, ServingStint, Model):
            session.execute(delete(table))
        session.execute(text("ALTER TABLE serving_stints ENABLE TRIGGER USER"))


def ignored(share):
    """Progress that nobody looks at."""
