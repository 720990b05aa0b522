"""The backtest job: what scoring would have said of every machine at past times, into one CSV file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import session_scope
from app.errors import BadInput
from app.ingest.rollup import roll_up_all
from app.settings import Settings
from ml.artefacts import Saved
from ml.dataset import load_history
from ml.endings import decommissioned
from ml.features.history import History, Moments
from ml.jobs.champion import load_speaking, there_is_a_model
from ml.jobs.moment import floor_to_bucket
from ml.lesson import know_normal
from ml.models.base import Progress, silent
from ml.prediction import Predicted, predict

# Moments answered at a time, so that a year of a large fleet needs no more memory than a day.
CHUNK_MOMENTS = 20_000
COLUMNS = ["machine", "as_of", "horizon_hours", "probability", "anomaly_score", "remaining_life_hours"]


def backtest(
    engine: Engine,
    settings: Settings,
    start: datetime,
    end: datetime,
    every: timedelta,
    model_id: int | None,
    out: Path,
    progress: Progress = silent,
) -> int:
    """How many rows were written. Nothing after a moment is seen by its prediction: the features hold that."""
    times = _times(settings, start, end, every)
    roll_up_all(engine, settings, lambda share: progress(0.2 * share, "roll-ups"))
    with session_scope(engine) as session:
        progress(0.2, "reading history")
        history = load_history(session, settings, until=floor_to_bucket(end, settings))
        saved = _speaking(session, settings, history, start, model_id)
        history = saved.fitted.looked_at(history)
    moments = _moments(history, times)
    written = 0
    with _opened(out) as file:
        file.write(",".join(COLUMNS) + "\n")
        for begin in range(0, len(moments), CHUNK_MOMENTS):
            progress(0.3 + 0.7 * begin / len(moments), "predicting")
            part = moments.take(np.arange(begin, min(begin + CHUNK_MOMENTS, len(moments))))
            rows = _rows(saved, history, predict(saved, history, part, settings.silent_after))
            rows.to_csv(file, index=False, header=False, columns=COLUMNS)
            written += len(rows)
    progress(1.0, "written")
    return written


def _opened(out: Path) -> TextIO:
    try:
        return out.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}.") from None


def _speaking(
    session: Session, settings: Settings, history: History, start: datetime, model_id: int | None
) -> Saved:
    """Where nothing was ever trained, what `train --until` the first moment without failures would have kept."""
    if model_id is not None or there_is_a_model(session):
        return load_speaking(session, settings, model_id)
    hours = [each.total_seconds() / 3600 for each in settings.horizons]
    before = (history.bucket + 1) * history.bucket_seconds <= start.timestamp()
    lesson = know_normal(history, before, hours, 0, "No model was trained.")
    return Saved(
        0,
        lesson.learnt[0].fitted,
        lesson.features,
        lesson.horizons_hours,
        lesson.modes,
        settings.bucket_seconds,
        floor_to_bucket(start, settings),
    )


def _times(settings: Settings, start: datetime, end: datetime, every: timedelta) -> range:
    step = int(every.total_seconds())
    if step % settings.bucket_seconds or every.total_seconds() != step:
        raise BadInput(f"--every must be a multiple of the bucket, {settings.bucket_seconds} s.")
    first, last = (int(floor_to_bucket(each, settings).timestamp()) for each in (start, end))
    if last < first:
        raise BadInput("--to lies before --from.")
    return range(first, last + 1, step)


def _moments(history: History, asked: range) -> Moments:
    """Every machine at every time, from its first reading until it was taken away."""
    machines = len(history.machines)
    begun = int((history.bucket.min() + 1) * history.bucket_seconds) if len(history.bucket) else asked.stop
    # The years before the first reading are not written down: there may be very many of them.
    skipped = max(-((asked.start - begun) // asked.step), 0)
    times = np.array(asked[skipped:], dtype=np.int64)
    moments = Moments(np.tile(np.arange(machines), len(times)), np.repeat(times, machines))
    first = np.full(machines, np.iinfo(np.int64).max)
    np.minimum.at(first, history.machine, (history.bucket + 1) * history.bucket_seconds)
    known = (moments.as_of >= first[moments.machine]) & (moments.as_of < decommissioned(history)[moments.machine])
    return moments.take(known)


def _rows(saved: Saved, history: History, predicted: Predicted) -> pd.DataFrame:
    """One row a machine, time and horizon."""
    moments, horizons = predicted.features.moments, len(saved.horizons_hours)
    keys = history.machines["key"].to_numpy()[moments.machine]
    as_of = pd.to_datetime(moments.as_of, unit="s", utc=True).strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame(
        {
            "machine": np.repeat(keys, horizons),
            "as_of": np.repeat(as_of.to_numpy(), horizons),
            "horizon_hours": np.tile([f"{hours:g}" for hours in saved.horizons_hours], len(moments)),
            "probability": predicted.risk.ravel().round(6),
            "anomaly_score": np.repeat(predicted.anomaly.score.round(4), horizons),
            "remaining_life_hours": np.repeat(predicted.life.mean_hours.round(3), horizons),
        }
    )
