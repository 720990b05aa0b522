"""SQL for predictions: storing a scoring run in bulk, and reading what is served for a machine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, defer

from app.announce import announce
from app.errors import NotFound
from app.fleet.tables import Machine
from app.ingest.tables import Reading, RollupState
from app.risk.prediction import NewPrediction, storable
from app.risk.tables import LatestPrediction, Model, Prediction

# Column of a new prediction -> its type; written as one document, since PostgreSQL takes it apart in a tenth of the
# time that Python needs for a row each.
COLUMNS = {
    "machine_id": "integer",
    "as_of": "timestamptz",
    "horizons_hours": "float8[]",
    "probabilities": "float8[]",
    "probabilities_low": "float8[]",
    "probabilities_high": "float8[]",
    "modes": "jsonb",
    "remaining_life_low_hours": "float8",
    "remaining_life_median_hours": "float8",
    "remaining_life_high_hours": "float8",
    "anomaly_score": "float8",
    "coverage": "float8",
    "reasons": "jsonb",
    "not_enough_data": "text",
}
ROWS_AT_ONCE = 2000
NAMES = ", ".join(COLUMNS)
TYPED = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
CREATE = text(f"CREATE TEMPORARY TABLE new_predictions ({TYPED}) ON COMMIT DROP")
FILL = text(
    f"""INSERT INTO new_predictions
    SELECT {NAMES} FROM json_to_recordset(cast(:rows AS json)) AS r ({TYPED})"""  # noqa: S608
)
CHANGES = ", ".join(f"{name} = excluded.{name}" for name in tuple(COLUMNS)[2:])
UPSERT = text(
    f"""
    CREATE TEMPORARY TABLE stored_predictions ON COMMIT DROP AS
    WITH upserted AS (
        INSERT INTO predictions (model_id, {NAMES})
        SELECT :model_id, {NAMES} FROM new_predictions ORDER BY machine_id, as_of
        ON CONFLICT (machine_id, as_of, model_id) DO UPDATE SET scored_at = now(), {CHANGES}
        RETURNING machine_id, id, as_of
    )
    SELECT DISTINCT ON (machine_id) machine_id, id, as_of FROM upserted ORDER BY machine_id, as_of DESC
    """  # noqa: S608  (text of our own)
)


def champion(session: Session) -> Model | None:
    """The model whose predictions are served."""
    return session.scalar(select(Model).where(Model.status == "champion"))


def store_predictions(session: Session, model_id: int, rows: Iterable[NewPrediction]) -> int:
    """Keep one scoring run; the same machine and as_of again replaces. The champion's become the served ones.

    The share lock lets a promotion wait for the run instead of mixing two models' predictions.
    """
    status = session.scalar(select(Model.status).where(Model.id == model_id).with_for_update(read=True))
    if status is None:
        raise NotFound(f"There is no model {model_id}.")
    stored = _write(session, model_id, rows)
    if status == "champion":
        session.execute(text(SERVE_STORED))
        announce(session, "risk")
    session.execute(text("DROP TABLE new_predictions, stored_predictions"))
    return stored


def serve_predictions_of(session: Session, model_id: int) -> None:
    """Serve this model's newest predictions where they are at least as new as the ones served now."""
    session.execute(text(SERVE_MODEL), {"model_id": model_id})


def score_anew(session: Session) -> None:
    """What was noted as seen is what another model's score had seen."""
    session.execute(update(RollupState).values(scored_changes=None, scored_events=None))


SERVE_STORED = """
    INSERT INTO latest_predictions (machine_id, prediction_id)
    SELECT stored.machine_id, stored.id
    FROM stored_predictions stored
    LEFT JOIN latest_predictions latest ON latest.machine_id = stored.machine_id
    LEFT JOIN predictions served ON served.id = latest.prediction_id
    WHERE served.id IS NULL OR stored.as_of >= served.as_of
    ORDER BY stored.machine_id
    ON CONFLICT (machine_id) DO UPDATE SET prediction_id = excluded.prediction_id
"""
# Looks no further back than what is served, so that a promotion does not read years of predictions.
SERVE_MODEL = """
    INSERT INTO latest_predictions (machine_id, prediction_id)
    SELECT machines.id, newest.id
    FROM machines
    LEFT JOIN latest_predictions latest ON latest.machine_id = machines.id
    LEFT JOIN predictions served ON served.id = latest.prediction_id
    JOIN LATERAL (
        SELECT id FROM predictions
        WHERE machine_id = machines.id AND model_id = :model_id AND as_of >= coalesce(served.as_of, '-infinity')
        ORDER BY as_of DESC LIMIT 1
    ) newest ON true
    ORDER BY machines.id
    ON CONFLICT (machine_id) DO UPDATE SET prediction_id = excluded.prediction_id
"""


def _write(session: Session, model_id: int, rows: Iterable[NewPrediction]) -> int:
    session.execute(CREATE)
    stored = 0
    fit = map(storable, rows)
    while some := list(islice(fit, ROWS_AT_ONCE)):
        session.execute(FILL, {"rows": msgspec.json.encode(some).decode()})
        stored += len(some)
    session.execute(UPSERT, {"model_id": model_id})
    return stored


class Watched(NamedTuple):
    """A machine with its served prediction, the model that made it, and its newest reading."""

    machine: Machine
    prediction: Prediction | None
    model: Model | None
    last_reading_at: datetime | None


def watched(session: Session, key: str) -> Watched:
    """Raises NotFound for a machine nobody has named."""
    row = session.execute(_watched().where(Machine.key == key)).one_or_none()
    if row is None:
        raise NotFound(f"There is no machine {key[:100]}.")
    return Watched(*row)


def watched_fleet(session: Session) -> list[Watched]:
    """Every machine still at work, by key; without reasons and modes, most of what a prediction weighs."""
    still = Machine.decommissioned_at.is_(None) | (Machine.decommissioned_at > func.now())
    light = (defer(Prediction.reasons), defer(Prediction.modes), defer(Model.card), defer(Model.manifest))
    query = _watched().where(still).order_by(Machine.key).options(*light)
    return [Watched(*row) for row in session.execute(query)]


def _watched() -> Any:
    newest_reading = (
        select(Reading.measured_at)
        .where(Reading.machine_id == Machine.id)
        .order_by(Reading.measured_at.desc())
        .limit(1)
        .correlate(Machine)
        .scalar_subquery()
    )
    return (
        select(Machine, Prediction, Model, newest_reading)
        .select_from(Machine)
        .outerjoin(LatestPrediction, LatestPrediction.machine_id == Machine.id)
        .outerjoin(Prediction, Prediction.id == LatestPrediction.prediction_id)
        .outerjoin(Model, Model.id == Prediction.model_id)
    )
