"""azure-pdm-20: which machine fails within 24 h, five folds of whole machines; figures counted by failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sklearn.metrics import average_precision_score

from bench.finding import Figures, Finding, Goal
from bench.peers import PEERS
from bench.sets import history_in, only, turned, without_fault_codes
from ml.dataset import training_moments
from ml.endings import in_use
from ml.features.builder import build
from ml.features.catalogue import Feature
from ml.features.history import Features, Floats, History, Ints, Moments
from ml.judging import Judged, alert_figures, best_threshold, judged
from ml.labels import label
from ml.lesson import learn_risk
from ml.models.base import cumulative_risk

HORIZONS = (24.0, 72.0, 168.0, 336.0, 720.0)
FOLDS, ASKED = 5, 0
RESAMPLES = 500


@dataclass(frozen=True)
class Answered:
    """All rows of all folds: what was said, what came true, which failure it was (-1 none), which fold."""

    risk: Floats
    truth: np.ndarray
    failure: Ints
    machine: Ints
    hour: Ints
    fold: Ints

    def case(self, rows: np.ndarray) -> Judged:
        chosen = np.flatnonzero(rows)
        truth, hour = self.truth[chosen], self.hour[chosen]
        nan = np.full(len(chosen), np.nan)
        one = np.ones(len(chosen))
        return Judged(chosen, truth, one, self.machine[chosen], hour, self.failure[chosen], nan, HORIZONS[ASKED])


def measure() -> list[Finding]:
    with turned("azure_pdm.py", "azure-pdm-20") as folder:
        history = history_in(folder)
    goals = {"AP": (0.94, False), "Brier": (0.004, True), "caught": (0.92, False), "false alarms": (3.0, True)}
    whole = _finding("azure-pdm-20", "24 h ahead, whole machines left out", history, goals)
    sensors = without_fault_codes(history)
    sober = _finding("azure-pdm-20-sensors", "the same without fault codes", sensors, {"AP": (0.35, False)})
    return [whole, sober]


def _finding(name: str, what: str, history: History, goals: dict[str, tuple[float, bool]]) -> Finding:
    found = Finding(name, what)
    for side, answered in _answers(history).items():
        found.add(side, figures(answered))
    ours = found.rounds["Wearwatch ensemble"][0]
    found.goals = [Goal(goal, [ours[goal]], bound, at_most) for goal, (bound, at_most) in goals.items()]
    failures = int(ours["failures"])
    found.remarks = [
        f"{failures} failures: 90 % interval of our AP by resampling them {ours['AP low']:.2f} to"
        f" {ours['AP high']:.2f}. Differences within it are noise."
    ]
    return found


def _answers(history: History) -> dict[str, Answered]:
    """Side -> what it said of every hour of every machine, none of which it had seen."""
    machines = np.random.default_rng(0).permutation(len(history.machines))
    end = int((history.bucket.max() + 1) * history.bucket_seconds)
    said: dict[str, list[Floats]] = {}
    cases = []
    for fold in range(FOLDS):
        out = machines[fold::FOLDS]
        taught, asked = only(history, np.setdiff1d(machines, out)), only(history, out)
        lesson = learn_risk(taught, datetime.fromtimestamp(end, UTC), HORIZONS, 0)
        at = Moments(asked.machine, (asked.bucket + 1) * asked.bucket_seconds)
        at = at.take(in_use(asked, at))
        became = label(asked, at, HORIZONS, lesson.modes)
        case = judged(at, became, ASKED)
        at = at.take(case.rows)
        seen = build(lesson.learnt[0].fitted.looked_at(asked), at, lesson.features)
        for each in lesson.learnt:
            risk = cumulative_risk(each.fitted.hazards(seen))[:, ASKED]
            said.setdefault(f"Wearwatch {each.fitted.kind}", []).append(risk)
        for name, risk in _peers_say(taught, end, lesson.features, seen).items():
            said.setdefault(name, []).append(risk)
        failure = np.where(case.failure >= 0, case.failure + 10_000 * fold, -1)
        cases.append((case.truth, failure, at.machine, at.as_of // 3600, np.full(len(at), fold)))
    columns = [np.concatenate(each) for each in zip(*cases, strict=True)]
    return {name: Answered(np.concatenate(risks), *columns) for name, risks in said.items() if len(risks) == FOLDS}


def _peers_say(taught: History, end: int, features: Sequence[Feature], seen: Features) -> dict[str, Floats]:
    moments, outcomes = training_moments(taught, datetime.fromtimestamp(end, UTC), HORIZONS, 0)
    built = build(taught, moments, features)
    answers = {}
    for name, peer in PEERS.items():
        try:
            answers[name] = peer(built, outcomes, seen, ASKED)
        except ImportError:
            continue
    return answers


def figures(said: Answered) -> Figures:
    """The threshold of each fold is the best of the others'; false alarms within a horizon are one."""
    alarm = np.zeros(len(said.risk), bool)
    for fold in range(FOLDS):
        own, others = said.fold == fold, said.fold != fold
        alarm[own] = said.risk[own] >= best_threshold(said.risk[others], said.case(others))
    known = np.unique(said.failure[said.failure >= 0])
    low, high = _interval(said, known)
    told = alert_figures(alarm, said.case(np.ones(len(alarm), bool)))
    return {
        "AP": float(average_precision_score(said.truth, said.risk)),
        "AP low": low,
        "AP high": high,
        "Brier": float(((said.risk - said.truth) ** 2).mean()),
        "failures": float(len(known)),
        "caught": told["failures_caught"] / told["failures"],
        "false alarms": float(told["false_alarms"]),
    }


def _interval(said: Answered, failures: Ints) -> tuple[float, float]:
    """90 % interval of average precision, failures drawn with replacement (Efron 1979)."""
    random = np.random.default_rng(0)
    place = np.searchsorted(failures, said.failure).clip(0, len(failures) - 1)
    drawn = []
    for _ in range(RESAMPLES):
        count = np.bincount(random.integers(len(failures), size=len(failures)), minlength=len(failures))
        weight = np.where(said.failure >= 0, count[place], 1)
        drawn.append(average_precision_score(said.truth, said.risk, sample_weight=weight))
    return float(np.percentile(drawn, 5)), float(np.percentile(drawn, 95))
