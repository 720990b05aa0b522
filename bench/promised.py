"""The simulated plant, whose truth is known: what was promised to fresh motors, and what came true, by horizon."""

from __future__ import annotations

from sklearn.metrics import average_precision_score

from bench.finding import Finding, Goal
from bench.taught import UNTIL, plant
from ml.endings import in_use
from ml.features.builder import build
from ml.features.history import Moments
from ml.figures import Reliability
from ml.judging import judged
from ml.labels import label
from ml.lesson import learn_risk
from ml.models.base import cumulative_risk

DAYS, TAUGHT, FRESH = 120, 60, 300
HORIZONS = (24.0, 72.0, 168.0, 336.0)
EVERY = 6 * 3600
MOST_ECE = 0.02


def measure() -> list[Finding]:
    taught, fresh = plant(TAUGHT, DAYS, seed=0), plant(FRESH, DAYS, seed=1)
    lesson = learn_risk(taught, UNTIL, HORIZONS, 0)
    at = Moments(fresh.machine, (fresh.bucket + 1) * fresh.bucket_seconds)
    at = at.take(in_use(fresh, at) & (at.as_of % EVERY == 0))
    became = label(fresh, at, HORIZONS, lesson.modes, UNTIL)
    seen = build(lesson.learnt[0].fitted.looked_at(fresh), at, lesson.features)
    found = Finding("fleet", f"{FRESH} fresh motors, learnt from {TAUGHT}, {DAYS} days each, every 6 hours")
    for each in lesson.learnt:
        risk = cumulative_risk(each.fitted.hazards(seen))
        figures = {}
        for k, hours in enumerate(HORIZONS):
            case = judged(at, became, k)
            said = risk[case.rows, k]
            figures[f"AP {hours:g} h"] = float(average_precision_score(case.truth, said))
            figures[f"ECE {hours:g} h"] = Reliability.of(said, case.truth, case.weight).error
        found.add(f"Wearwatch {each.fitted.kind}", figures)
        if each.fitted.kind == "ensemble":
            errors = [figures[f"ECE {hours:g} h"] for hours in HORIZONS]
            found.goals = [Goal("largest ECE of the ensemble", [max(errors)], MOST_ECE, at_most=True)]
    return [found]
