"""The train job: what a history teaches, stored as candidates with their cards; the best may serve."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import session_scope
from app.errors import BadInput
from app.ingest.rollup import roll_up_all
from app.risk.actions import promote as let_serve
from app.risk.actions import shadow
from app.risk.model_store import lock_promotion
from app.risk.store import champion
from app.risk.tables import Model
from app.settings import Settings
from app.terminal import plain_table
from ml.artefacts import Saved, artefact_key, save_model
from ml.dataset import fingerprint, load_history
from ml.failures import TooFewFailures
from ml.features.history import History
from ml.jobs.choosing import choose, speaking
from ml.jobs.mlflow_export import record_of, tell_mlflow
from ml.jobs.moment import floor_to_bucket, refuse_future
from ml.lesson import Lesson, know_normal, learn_risk
from ml.models.base import Progress, part_of, silent
from ml.models.condition_only import ConditionOnly


@dataclass(frozen=True)
class Trained:
    """`rows`: model number, kind and card of each; `verdict` is one sentence on who serves now."""

    rows: list[tuple[int, str, dict[str, Any]]]
    verdict: str


def train(
    engine: Engine,
    settings: Settings,
    *,
    until: datetime | None,
    horizons: Sequence[timedelta] | None,
    seed: int,
    promote: bool,
    search: timedelta = timedelta(),
    progress: Progress = silent,
) -> Trained:
    """`search`: how long to look for better settings first.

    Raises BadInput, in one sentence, where there is nothing to learn from.
    """
    started = time.monotonic()
    until = floor_to_bucket(until or datetime.now(UTC), settings)
    refuse_future(engine, settings, until)
    hours = _hours(horizons or settings.horizons, settings)
    roll_up_all(engine, settings, lambda share: progress(0.05 * share, "roll-ups"))
    with session_scope(engine) as session:
        progress(0.05, "reading history")
        history = load_history(session, settings, until=until)
    try:
        lesson = learn_risk(history, until, hours, seed, part_of(progress, 0.08, 0.98), search.total_seconds())
    except TooFewFailures as reason:
        lesson = _normal(history, hours, seed, str(reason))
    seconds = round(time.monotonic() - started, 1)
    with session_scope(engine) as session:
        trained = _keep(session, settings, lesson, history, until, seed, seconds, promote)
        records = [record_of(session.get_one(Model, number)) for number, _, _ in trained.rows]
    tell_mlflow(settings, records)
    progress(1.0, "trained")
    return trained


def _normal(history: History, hours: Sequence[float], seed: int, reason: str) -> Lesson:
    return know_normal(history, np.ones(len(history.machine), bool), hours, seed, reason)


def _hours(horizons: Sequence[timedelta], settings: Settings) -> list[float]:
    """In whole seconds, rising, each once."""
    seconds = sorted({round(each.total_seconds()) for each in horizons})
    if seconds[0] < settings.bucket_seconds:
        raise BadInput(
            f"A horizon of {seconds[0] / 3600:g} h is shorter than a bucket of readings, which has"
            f" {settings.bucket_seconds} s."
        )
    return [each / 3600 for each in seconds]


def _keep(
    session: Session,
    settings: Settings,
    lesson: Lesson,
    history: History,
    until: datetime,
    seed: int,
    seconds: float,
    promote: bool,
) -> Trained:
    """All models of a run and the promotion in one transaction: never half a run."""
    now = datetime.now(UTC)
    best, spoken = _chosen(session, settings, lesson, history)
    lessons = [lesson]
    if best is None and not isinstance(speaking(session, settings), Saved):
        # Better the anomaly score alone than nothing.
        lessons.append(_normal(history, lesson.horizons_hours, seed, spoken))
        best = ConditionOnly.kind
    run, data_hash = f"{now:%Y%m%dT%H%M%S}Z", fingerprint(history)
    ids = {
        each.fitted.kind: save_model(
            session,
            each.fitted,
            key=artefact_key(settings.data_dir),
            run=run,
            trained_until=until,
            bucket_seconds=settings.bucket_seconds,
            horizons_hours=own.horizons_hours,
            modes=own.modes,
            features=own.features,
            card=each.card | {"seconds": seconds},
            seed=seed,
            data_hash=data_hash,
        ).id
        for own in lessons
        for each in own.learnt
    }
    cards = {each.fitted.kind: each.card for own in lessons for each in own.learnt}
    told = _place(session, settings, best, ids.get(best or ""), promote, now)
    searched = "".join(f" {kind}: {card['search']['words']}." for kind, card in cards.items() if "search" in card)
    return Trained([(ids[kind], kind, card) for kind, card in cards.items()], f"{told} {spoken}{searched}")


def _chosen(session: Session, settings: Settings, lesson: Lesson, history: History) -> tuple[str | None, str]:
    """Held against the model that serves when it is placed: another may be let serve while this is found out."""
    held_against = champion(session)
    found = choose(session, settings, lesson, history)
    lock_promotion(session)
    return found if champion(session) is held_against else choose(session, settings, lesson, history)


def _place(
    session: Session, settings: Settings, best: str | None, number: int | None, promote: bool, now: datetime
) -> str:
    """What becomes of the model that passed the gate, in words."""
    if number is None:
        return "No model is promoted."
    if promote:
        let_serve(session, None, number, now, unproven=best == ConditionOnly.kind)
        return f"Model {number} ({best}) serves now."
    if settings.promote == "person":
        shadow(session, None, number)
        return f"Model {number} ({best}) is scored in the shadow and waits for a person to promote it."
    return "Nothing is promoted, as asked."


def table(trained: Trained) -> Table:
    """One row a model and horizon, for the terminal."""
    shown = plain_table("model", "horizon", "failures", "PR-AUC", "Brier", "ECE", "caught", "lead time")
    for number, kind, card in trained.rows:
        for each in card["horizons"]:
            shown.add_row(
                f"{number} {kind}", f"{each['hours']:g} h", str(each["failures"]), *_figures(each["model"])
            )
    return shown


def _figures(figures: dict[str, Any]) -> list[str]:
    numbers = [figures.get(name) for name in ("pr_auc", "brier", "ece")]
    caught, lead = figures.get("failures_caught"), figures.get("lead_time_hours_median")
    return [
        *("-" if each is None else f"{each:.3f}" for each in numbers),
        "-" if caught is None else str(caught),
        "-" if lead is None else f"{lead:.0f} h",
    ]
