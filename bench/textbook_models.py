"""What tutorials learn: a forest and an LSTM on raw readings, every row, fails within a week or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from sklearn.ensemble import RandomForestClassifier

from ml.endings import in_use
from ml.failures import failure_modes
from ml.features.history import Floats, History, Ints, Moments
from ml.features.rows import Rows
from ml.labels import label

TREES, UNITS, STEPS, EPOCHS = 100, 64, 48, 10
# Keras' own 32 would take several times as long.
BATCH = 256
ASKED_AT_ONCE = 8192

# The risk [rows] of rows of the history.
Says = Callable[[Ints], Floats]


@dataclass(frozen=True)
class Raw:
    """Readings in the order of the history, in deviations from the mean, 0 where there is none."""

    values: Floats
    machine: Ints

    @classmethod
    def of(cls, history: History, learnt_from: Ints) -> Raw:
        known = history.mean[learnt_from]
        middle, width = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
        return cls(np.nan_to_num((history.mean - middle) / width).astype(np.float32), history.machine)

    def windows(self, rows: Ints) -> Floats:
        """[n, STEPS, channels] that end with each row; before a machine's first row it is repeated."""
        first = np.searchsorted(self.machine, self.machine[rows])
        back = rows[:, None] - np.arange(STEPS - 1, -1, -1)
        return self.values[np.maximum(back, first[:, None])]


def rows_known(history: History, until: datetime, horizon_hours: float) -> tuple[Ints, Floats]:
    """Every row whose outcome is known at `until`, and whether it failed within the horizon."""
    every = Moments(history.machine, (history.bucket + 1) * history.bucket_seconds)
    seen = np.flatnonzero(in_use(history, every) & (every.as_of <= int(until.timestamp())))
    became = label(history, every.take(seen), [horizon_hours], failure_modes(history, until), until)
    told = became.exposure[:, 0] == 1
    return seen[told], (became.interval[told] == 0).astype(float)


def row_of(history: History, moments: Moments) -> Ints:
    """The row that ended with each moment."""
    return Rows(history.machine, history.bucket).locate(
        moments.machine, moments.as_of // history.bucket_seconds - 1
    )


def learn_forest(raw: Raw, rows: Ints, fails: Floats) -> Says:
    model = RandomForestClassifier(TREES, n_jobs=-1, random_state=0).fit(raw.values[rows], fails)
    return lambda some: np.asarray(model.predict_proba(raw.values[some])[:, 1])


def learn_lstm(raw: Raw, rows: Ints, fails: Floats) -> Says:
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((STEPS, raw.values.shape[1])),
            keras.layers.LSTM(UNITS),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    network.compile("adam", "binary_crossentropy")
    network.fit(raw.windows(rows), fails, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return lambda some: np.asarray(network.predict(raw.windows(some), batch_size=ASKED_AT_ONCE, verbose=0)[:, 0])


MODELS = {"textbook forest, raw rows": learn_forest, f"textbook LSTM({UNITS}), {STEPS} raw rows": learn_lstm}
