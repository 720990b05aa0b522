"""A small simulated plant in a database of its own, imported and trained once, for all tests of the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from made_fleet import database_of_its_own

from app.database import session_scope
from app.fleet.importing import import_events, import_machines
from app.ingest.importing import import_readings
from app.risk.actions import promote
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


@dataclass(frozen=True)
class Plant:
    engine: object
    settings: Settings
    machines: list[str]
    trained: Trained
    serving: int


@pytest.fixture(scope="module")
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


def ignored(share):
    """Progress that nobody looks at."""
