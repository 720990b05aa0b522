"""The score job: every machine's risk at one time by the model that serves, stored in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from app.database import session_scope
from app.errors import NotFound
from app.fleet.tables import Machine
from app.ingest.rollup import roll_up_all
from app.risk.assess import STATUS_HORIZON_HOURS
from app.risk.prediction import NewPrediction
from app.risk.store import champion, store_predictions
from app.settings import Settings
from ml.artefacts import Saved
from ml.dataset import load_history
from ml.explain import explain
from ml.features.history import Floats, History
from ml.jobs.champion import load_speaking
from ml.jobs.due import note_scored, there_is
from ml.jobs.moment import fleet_at, floor_to_bucket
from ml.models.base import Progress, silent
from ml.prediction import Predicted, predict
from ml.unlike import unlike_itself
from ml.usual import own_usual

# More than anybody reads in a day. Every machine of a plant of this size; of a larger one those that come first.
MOST_EXPLAINED = 200


def score(engine: Engine, settings: Settings, as_of: datetime | None, progress: Progress = silent) -> int:
    """How many machines were scored. Raises NotFound while no model serves."""
    as_of = floor_to_bucket(as_of or datetime.now(UTC), settings)
    roll_up_all(engine, settings, lambda share: progress(0.4 * share, "roll-ups"), until=as_of)
    with session_scope(engine) as session:
        serving = champion(session)
        if serving is None:
            raise NotFound(
                "No model serves: run `wearwatch train`, or let one serve with `wearwatch models promote NUMBER`."
            )
        saved = load_speaking(session, settings, serving.id)
        progress(0.5, "reading history")
        seen = there_is(session)
        history = saved.fitted.looked_at(load_history(session, settings, until=as_of))
        progress(0.7, "predicting")
        predicted = predict(saved, history, fleet_at(history, as_of), settings.silent_after)
        ids = {machine.key: machine.id for machine in session.execute(select(Machine.key, Machine.id))}
        progress(0.8, "reasons")
        rows = list(_rows(saved, history, predicted, _reasons(saved, history, predicted), as_of, ids))
        store_predictions(session, saved.id, rows)
        note_scored(session, seen, saved.id, as_of)
    progress(1.0, "scored")
    return len(rows)


def _rows(
    saved: Saved,
    history: History,
    predicted: Predicted,
    reasons: list[list[dict[str, Any]]],
    as_of: datetime,
    ids: dict[str, int],
) -> Iterator[NewPrediction]:
    keys = history.machines["key"].to_numpy()[predicted.features.moments.machine]
    low, high = predicted.band or (None, None)
    for row, key in enumerate(keys):
        usable = bool(predicted.trust.usable[row])
        yield NewPrediction(
            machine_id=ids[key],
            as_of=as_of,
            horizons_hours=saved.horizons_hours,
            probabilities=_along(predicted.risk, row) if usable else None,
            probabilities_low=_along(low, row) if usable else None,
            probabilities_high=_along(high, row) if usable else None,
            modes=_by_mode(saved.modes, predicted.by_mode[row]) if usable else {},
            remaining_life_low_hours=_at(predicted.life.low_hours, row),
            remaining_life_median_hours=_at(predicted.life.median_hours, row),
            remaining_life_high_hours=_at(predicted.life.high_hours, row),
            anomaly_score=_at(predicted.anomaly.score, row),
            coverage=float(predicted.trust.coverage[row]),
            reasons=reasons[row],
            not_enough_data=predicted.trust.reason[row],
        )


def _reasons(saved: Saved, history: History, predicted: Predicted) -> list[list[dict[str, Any]]]:
    """Why the riskiest stand where they do, at the horizon nearest to a week; and whether any is unlike itself."""
    horizon = int(np.argmin(np.abs(np.asarray(saved.horizons_hours) - STATUS_HORIZON_HOURS)))
    risk = np.nan_to_num(predicted.risk[:, horizon], nan=-1.0)
    if not len(risk):
        return []
    riskiest = np.sort(np.argsort(-risk, kind="stable")[:MOST_EXPLAINED])
    now = predicted.features.take(riskiest)
    usual = own_usual(history, now.moments, saved.features)
    told = explain(saved.fitted.hazards, saved.features, now, usual, horizon, history.bucket_seconds)
    why = dict(zip(riskiest.tolist(), told, strict=True))
    unlike = (unlike_itself(predicted.anomaly, row) for row in range(len(risk)))
    return [[*why.get(row, []), each] if each else why.get(row, []) for row, each in enumerate(unlike)]


def _along(values: Floats | None, row: int) -> list[float] | None:
    return None if values is None else [float(each) for each in values[row]]


def _by_mode(modes: Sequence[str], risk: Floats) -> dict[str, list[float]]:
    """risk [K, M] -> mode: risk along the horizons."""
    return {mode: [float(each) for each in risk[:, m]] for m, mode in enumerate(modes)}


def _at(values: Floats, row: int) -> float | None:
    return float(values[row]) if np.isfinite(values[row]) else None
