"""P15: the default models learnt from a year of 200 machines, against a textbook's forest and LSTM on every row."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from sklearn.metrics import average_precision_score

from bench import textbook_models
from bench.finding import Figures, Finding, Goal
from bench.measure import out
from bench.taught import HORIZONS_HOURS, UNTIL, plant
from bench.textbook_models import Raw, Says
from ml.features.history import Floats, History
from ml.judging import judged
from ml.lesson import Lesson, learn_risk
from ml.models.ensemble import Ensemble

# The textbook learns one horizon, at which all are compared.
COMPARED = HORIZONS_HOURS.index(168.0)
PRECISION = f"AP {HORIZONS_HOURS[COMPARED]:g} h"
LEAST_RATIO, LEAST_GAIN = 5.0, 0.0

T = TypeVar("T")


def measure(machines: int, days: int, sample: int) -> list[Finding]:
    """The textbook learns from so many rows, and its time is that of all rows in proportion."""
    out.print(f"P15: simulating {machines} machines, {days} days ...", style="dim", highlight=False)
    history = plant(machines, days, 0)
    found = Finding(
        "P15", f"{machines} machines x {days} days, hourly: learnt, and asked about the same later time"
    )
    lesson, took = _taken(lambda: learn_risk(history, UNTIL, HORIZONS_HOURS, 0))
    for each in lesson.learnt:
        says = {PRECISION: _precision(lesson, each.judged_risk[:, COMPARED])}
        found.add(f"Wearwatch {each.fitted.kind}", took | says if each.fitted.kind == Ensemble.kind else says)
    peers = _textbook(history, lesson, sample, found)
    ours = found.rounds[f"Wearwatch {Ensemble.kind}"][0]
    gain = ours[PRECISION] - max(each[PRECISION] for each in peers)
    found.goals = [
        Goal("textbook's time against ours", [sum(each["s"] for each in peers) / ours["s"]], LEAST_RATIO),
        Goal("our average precision less the textbook's best", [gain], LEAST_GAIN),
    ]
    return [found]


def _taken(do: Callable[[], T]) -> tuple[T, Figures]:
    begun, cpu = time.perf_counter(), time.process_time()
    done = do()
    return done, {"s": time.perf_counter() - begun, "CPU s": time.process_time() - cpu}


def _precision(lesson: Lesson, risk: Floats) -> float:
    """Average precision of risk [rows] on the judged moments, each counted for as many as it stands for."""
    case = judged(lesson.judged, lesson.became, COMPARED)
    return float(average_precision_score(case.truth, risk[case.rows], sample_weight=case.weight))


def _textbook(history: History, lesson: Lesson, sample: int, found: Finding) -> list[Figures]:
    """Its two models learn from all that was known when the judged time began."""
    began = datetime.fromtimestamp(int(lesson.judged.as_of.min()), UTC)
    rows, fails = textbook_models.rows_known(history, began, HORIZONS_HOURS[COMPARED])
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:sample])
    raw, asked = Raw.of(history, rows), textbook_models.row_of(history, lesson.judged)
    times = len(rows) / len(chosen)
    if times > 1:
        found.remarks.append(
            f"The textbook's models learnt from {len(chosen):,} of {len(rows):,} rows; their times are for all, in"
            f" proportion: {times:.1f} times what was measured."
        )

    def learnt(name: str, learn: Callable[[], Says]) -> Figures:
        out.print(f"P15: {name} on {len(chosen):,} of {len(rows):,} rows ...", style="dim", highlight=False)
        says, took = _taken(learn)
        figures = {each: value * times for each, value in took.items()}
        figures[PRECISION] = _precision(lesson, says(asked))
        found.add(name, figures)
        return figures

    return [
        learnt(name, lambda learn=learn: learn(raw, rows[chosen], fails[chosen]))
        for name, learn in textbook_models.MODELS.items()
    ]
