"""SKAB: whether each second of a pump lies in a fault, by its own first 400; the defaults as they ship."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.finding import Figures, Finding, Goal
from bench.sets import OUTSIDE, Absent, history_in, published, turned
from ml.features.history import Moments
from ml.models.anomaly import anomalies

TAUGHT = 400


def measure() -> list[Finding]:
    folders = sorted(path.name for path in (OUTSIDE / "skab").glob("*") if path.name != "anomaly-free")
    if not folders:
        raise Absent(f"The public set skab is not in {OUTSIDE}; name its folder in WEARWATCH_OUTSIDE_DATA.")
    judged = [_judged(folder) for folder in folders]
    alarm, fault = (np.concatenate(each) for each in zip(*judged, strict=True))
    found = Finding("skab", f"seconds in a fault, {' and '.join(folders)}, first {TAUGHT} rows teach")
    found.add("Wearwatch", _figures(alarm, fault))
    found.add("always an alarm", _figures(np.ones_like(fault), fault))
    for name, values in published()["anomalies"].items():
        found.add(f"{name} (published, all 34 files)", dict(zip(("F1", "FAR", "MAR"), values, strict=True)))
    ours = found.rounds["Wearwatch"][0]
    found.goals = [Goal("F1", [ours["F1"]], 0.82), Goal("false-alarm rate", [ours["FAR"]], 0.20, at_most=True)]
    return [found]


def _judged(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """(alarm, fault) of every row after the taught ones."""
    with turned("skab.py", f"skab/{folder}") as csv:
        history, truth = history_in(csv, bucket_seconds=1), pd.read_csv(csv / "truth.csv")
    second = pd.to_datetime(truth["measured_at"], utc=True).dt.as_unit("s").astype("int64")
    told = truth.assign(fault=truth["anomaly"] > 0).set_index(["machine", second])["fault"]
    keys = history.machines["key"].to_numpy()[history.machine]
    fault = told.loc[pd.MultiIndex.from_arrays([keys, history.bucket])].to_numpy()
    start = int(history.bucket.min())
    score = anomalies(history, Moments(history.machine, history.bucket + 1), start + TAUGHT).score
    later = history.bucket >= start + TAUGHT
    return score[later] >= 1, fault[later]


def _figures(alarm: np.ndarray, fault: np.ndarray) -> Figures:
    hits, false, missed = ((alarm & fault).sum(), (alarm & ~fault).sum(), (~alarm & fault).sum())
    return {
        "F1": float(2 * hits / (2 * hits + false + missed)),
        "FAR": float(false / (~fault).sum()),
        "MAR": float(missed / fault.sum()),
    }
