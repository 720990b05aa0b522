"""C-MAPSS: how long each test engine still runs at its cut, truth clipped at 125; training included."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bench.finding import Finding, Goal
from bench.sets import history_in, published, turned, until
from ml.features.builder import build
from ml.features.history import Moments
from ml.lesson import learn_risk
from ml.remaining_life import remaining_life

HORIZONS = tuple(float(hours) for hours in range(5, 130, 5))
LONGEST = 125.0
GOALS = {"FD001": 12.0, "FD002": 11.2}
TRAINING_SECONDS = 300.0


def measure() -> list[Finding]:
    return [_finding(name) for name in GOALS]


def _finding(name: str) -> Finding:
    with turned("cmapss.py", "cmapss", "--set", name) as folder:
        history, truth = history_in(folder), pd.read_csv(folder / "truth.csv")
    failed = int(history.events["started_at"].max().timestamp())
    end = (failed // 3600 + 1) * 3600
    began = time.perf_counter()
    lesson = learn_risk(until(history, end), datetime.fromtimestamp(end, UTC), HORIZONS, 0)
    seconds = time.perf_counter() - began
    keys = history.machines["key"]
    engines = np.flatnonzero(keys.str.startswith("test"))
    cut = int((history.bucket.max() + 1) * history.bucket_seconds)
    moments = Moments(engines, np.full(len(engines), cut))
    seen = build(lesson.learnt[0].fitted.looked_at(history), moments, lesson.features)
    real = truth.set_index("machine")["remaining_life_hours"].loc[keys[engines]].clip(upper=LONGEST).to_numpy()
    found = Finding(name, "remaining life at the cut, in cycles")
    for each in lesson.learnt:
        late = remaining_life(each.fitted.hazards(seen), lesson.horizons_hours).mean_hours - real
        nasa = np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10)).sum()
        rmse = float(np.sqrt((late**2).mean()))
        found.add(f"Wearwatch {each.fitted.kind}", {"RMSE": rmse, "NASA score": float(nasa)})
    for peer, rmse in published()["remaining life"][name].items():
        found.add(f"{peer} (published)", {"RMSE": rmse})
    ours = found.values("Wearwatch ensemble", "RMSE")
    found.goals = [
        Goal("RMSE of the ensemble", ours, GOALS[name], at_most=True),
        Goal("seconds to train all models", [seconds], TRAINING_SECONDS, at_most=True),
    ]
    return found
