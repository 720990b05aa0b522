"""P12: mean, deviation and slope of three channels in three windows; our builder against pandas groupby.rolling."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.measure import Comparison, Side, compare
from ml.features.builder import build
from ml.features.catalogue import Feature, catalogue
from ml.features.history import Features, History, Moments

GOAL = 4.0
CHANNELS = ("current_a", "temperature_c", "vibration_mm_s")
WINDOWS = (6, 24, 72)
KINDS = ("mean", "deviation", "slope")
MACHINE_ROWS = 8_760  # a year of hours each
FIRST_BUCKET, BUCKET_SECONDS = 480_000, 3600
# Ours are float32; pandas' running sums drift a little over a year.
RELATIVE, ABSOLUTE = 1e-3, 1e-4


def measure(rows: int, rounds: int) -> tuple[Comparison, dict[str, object]]:
    history, moments = made_history(rows), made_moments(rows)
    features = chosen_features()
    frame = pd.DataFrame(history.mean, columns=list(CHANNELS)).assign(machine=history.machine)
    _check_agreement(build(history, moments, features, blocks=False), with_pandas(frame))
    found = compare(
        "features",
        f"Features of {rows:,} snapshots, {len(features)} columns (P12)",
        "snapshots/s",
        GOAL,
        Side("Wearwatch builder", lambda: rows / _seconds(lambda: build(history, moments, features, blocks=False))),
        Side("pandas groupby.rolling", lambda: rows / _seconds(lambda: with_pandas(frame))),
        rounds,
    )
    return found, {"rows": rows, "columns": len(features), "pandas": pd.__version__}


def chosen_features() -> tuple[Feature, ...]:
    return tuple(f for f in catalogue(CHANNELS) if f.kind in KINDS and f.window_buckets in WINDOWS)


def made_history(rows: int) -> History:
    """Hourly and without gaps: over gaps, windows of rows as pandas has them would be wrong; ours would not."""
    machine = np.arange(rows) // MACHINE_ROWS
    values = np.random.default_rng(7).normal((10, 60, 3), (2, 5, 0.5), (rows, len(CHANNELS)))
    count = int(machine[-1]) + 1
    machines = pd.DataFrame({"key": [f"m{number}" for number in range(count)], "rated_current_a": 10.0})
    events = pd.DataFrame(columns=["machine", "kind", "code", "component", "started_at", "ended_at"])
    return History(
        bucket_seconds=BUCKET_SECONDS,
        machines=machines,
        channels=CHANNELS,
        machine=machine,
        bucket=FIRST_BUCKET + np.arange(rows) % MACHINE_ROWS,
        n=np.ones_like(values),
        mean=values,
        std=np.zeros_like(values),
        min=values,
        max=values,
        last=values,
        events=events,
    )


def made_moments(rows: int) -> Moments:
    """Each machine at the end of each of its hours."""
    hour = FIRST_BUCKET + np.arange(rows) % MACHINE_ROWS
    return Moments(np.arange(rows) // MACHINE_ROWS, (hour + 1) * BUCKET_SECONDS)


def with_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same columns by name. The slope in the way that suits pandas best: rolling has none of its own.

    With t counting a machine's hours: slope = (Σxt - t̄ Σx) / Σ(t - t̄)²; t̄ and Σ(t - t̄)² are known without gaps.
    """
    t = frame.groupby("machine").cumcount().to_numpy()
    columns: dict[str, np.ndarray] = {}
    products = pd.DataFrame({name: frame[name] * t for name in CHANNELS}).assign(machine=frame["machine"])
    for window in WINDOWS:
        rolling = frame.groupby("machine")[list(CHANNELS)].rolling(window, min_periods=1)
        mean, deviation = rolling.mean(), rolling.std()
        product = products.groupby("machine")[list(CHANNELS)].rolling(window, min_periods=1).sum()
        n = np.minimum(t + 1, window)
        middle, squares = t - (n - 1) / 2, np.where(n > 1, n * (n * n - 1) / 12, np.nan)
        for name in CHANNELS:
            columns[f"{name}.mean.{window}"] = mean[name].to_numpy()
            columns[f"{name}.deviation.{window}"] = deviation[name].to_numpy()
            columns[f"{name}.slope.{window}"] = (product[name] - middle * n * mean[name]).to_numpy() / squares
    return pd.DataFrame(columns, copy=False)


def _check_agreement(ours: Features, peer: pd.DataFrame) -> None:
    """Speed counts only where both say the same."""
    for position, name in enumerate(ours.names):
        np.testing.assert_allclose(
            ours.values[:, position], peer[name].to_numpy(), RELATIVE, ABSOLUTE, err_msg=name
        )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
