"""The evaluate job: a model held against what happened after it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from sqlalchemy import Engine

from app.database import session_scope
from app.ingest.rollup import roll_up_all
from app.risk.tables import Model
from app.settings import Settings
from app.terminal import plain_table
from ml.artefacts import Saved
from ml.dataset import load_history
from ml.endings import in_use
from ml.evaluation import evaluate as figures_of
from ml.features.history import History, Moments
from ml.jobs.champion import load_speaking
from ml.labels import label
from ml.models.base import Outcomes, Progress, silent
from ml.prediction import predict

FIGURES = ("pr_auc", "roc_auc", "brier", "ece", "precision", "recall", "f1")


def evaluate(
    engine: Engine, settings: Settings, model_id: int | None, progress: Progress = silent
) -> RenderableType:
    """Figures on the time after training where a failure is known, else those of the card."""
    roll_up_all(engine, settings, lambda share: progress(0.2 * share, "roll-ups"))
    with session_scope(engine) as session:
        saved = load_speaking(session, settings, model_id)
        if saved.fitted.says_nothing:
            return Group(f"Model {saved.id} says no probability that could be judged: {saved.fitted.says_nothing}.")
        card = session.get_one(Model, saved.id).card
        history = saved.fitted.looked_at(load_history(session, settings))
    moments, outcomes = _since_training(saved, history)
    progress(0.4, "predicting")
    if not (outcomes.failure >= 0).any():
        return Group(
            _table(_horizons(card)), f"Model {saved.id}: no failure since it was trained; this is its card."
        )
    risk = predict(saved, history, moments, settings.silent_after).risk
    said = np.flatnonzero(np.isfinite(risk).all(axis=1))
    limits = [each["threshold"] for each in _horizons(card)]
    fresh = figures_of({"model": risk[said]}, {"model": limits}, moments.take(said), outcomes.take(said), seed=0)
    since = f"{saved.trained_until:%Y-%m-%d %H:%M} UTC"
    return Group(
        _table(fresh["horizons"]), f"Model {saved.id} ({saved.fitted.kind}) on all that happened since {since}."
    )


def _horizons(card: dict[str, Any]) -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = card.get("horizons", ())
    return found


def _since_training(saved: Saved, history: History) -> tuple[Moments, Outcomes]:
    every = Moments(history.machine, (history.bucket + 1) * history.bucket_seconds)
    later = every.take((every.as_of >= int(saved.trained_until.timestamp())) & in_use(history, every))
    outcomes = label(history, later, saved.horizons_hours, saved.modes)
    seen = np.flatnonzero(outcomes.exposure.any(axis=1))
    return later.take(seen), outcomes.take(seen)


def _table(horizons: Sequence[dict[str, Any]]) -> Table:
    shown = plain_table("horizon", "failures", *(name.replace("_", "-").upper() for name in FIGURES))
    for each in horizons:
        numbers = (each["model"].get(name) for name in FIGURES)
        cells = ("-" if number is None else f"{number:.3f}" for number in numbers)
        shown.add_row(f"{each['hours']:g} h", str(each["failures"]), *cells)
    return shown
