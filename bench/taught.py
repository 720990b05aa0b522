"""A model that serves, learnt from a small simulated plant, for measures of what is done with one."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from app.database import session_scope
from app.risk.actions import promote
from app.settings import Settings
from bench.measure import out
from bench.sets import history_in
from ml.artefacts import artefact_key, save_model
from ml.dataset import fingerprint
from ml.features.history import History
from ml.lesson import learn_risk
from ml.simulate.fleet import simulate_fleet, write_csvs

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
MACHINES, DAYS = 40, 90
# As shipped.
HORIZONS_HOURS = (24.0, 72.0, 168.0, 336.0, 720.0)


def plant(machines: int, days: int, seed: int) -> History:
    with tempfile.TemporaryDirectory() as folder:
        write_csvs(simulate_fleet(machines, days, UNTIL, seed=seed), Path(folder))
        return history_in(Path(folder))


def let_serve(engine: Engine, settings: Settings) -> None:
    """The ensemble of the default kinds and horizons, as `train` keeps it, for the bucket of these settings."""
    out.print(f"Learning from {MACHINES} simulated motors ...", style="dim", highlight=False)
    hours = [each.total_seconds() / 3600 for each in settings.horizons]
    taught = plant(MACHINES, DAYS, 1)
    lesson = learn_risk(taught, UNTIL, hours, 0)
    learnt = next(each for each in lesson.learnt if each.fitted.kind == "ensemble")
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        model = save_model(
            session,
            learnt.fitted,
            key=artefact_key(settings.data_dir),
            run=f"{now:%Y%m%dT%H%M%S}Z",
            trained_until=UNTIL,
            bucket_seconds=settings.bucket_seconds,
            horizons_hours=lesson.horizons_hours,
            modes=lesson.modes,
            features=lesson.features,
            card=learnt.card,
            seed=0,
            data_hash=fingerprint(taught),
        )
        promote(session, None, model.id, now, unproven=True)
