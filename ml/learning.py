"""The training story, free of the database: baselines and models, calibrated on machines they had not seen, judged
on later time, then fitted once more on everything with the same settings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.calibration import learn_calibration
from ml.evaluation import evaluate, thresholds
from ml.failures import TooFewFailures
from ml.features.conditions import Conditions
from ml.features.happenings import HOUR
from ml.features.history import Features
from ml.fitted import FittedModel
from ml.folds import left_out_hazards, machine_folds
from ml.mixing import learn_weights
from ml.models.base import Floats, HazardModel, Outcomes, Progress, cumulative_risk, part_of, side_by_side, silent
from ml.models.ensemble import Ensemble
from ml.models.lstm import Lstm
from ml.models.odds import mix
from ml.models.registry import BASELINES, DEFAULT_KINDS, KINDS
from ml.past_failures import PastFailures
from ml.split import Split
from ml.uncertainty import BAND_IS, Spread

# With fewer distinct failures any pattern may be chance.
FEWEST_FAILURES = 3
KINDS_AT_ONCE = 2
NO_SETTINGS: Mapping[str, Mapping[str, Any]] = {}
MEMBERS = ("random_forest", "boosting", "lstm")
REFIT = (
    "The figures are of a model that saw only the learning time. The model that is kept has the same settings and"
    " calibration and was fitted once more on everything, the judged time included."
)

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learnt:
    """`left_out_risk` [rows, K] is what models that had not seen their machine said of the learning rows,
    `judged_risk` what one that saw only the learning time said of the judged rows."""

    fitted: FittedModel
    card: dict[str, Any]
    left_out_risk: Floats
    judged_risk: Floats


@dataclass(frozen=True)
class _Tried:
    """One kind before calibration: what it said of machines left out, of the judged time, and its last fit.

    by_fold: [folds, judged rows, K, M] what the models that each left out a fold said of the judged time.
    """

    left_out: Floats
    by_fold: Floats
    judged: Floats
    model: HazardModel
    seconds: float


def learn(
    features: Features,
    outcomes: Outcomes,
    cut: Split,
    *,
    kinds: Sequence[str] = DEFAULT_KINDS,
    settings: Mapping[str, Mapping[str, Any]] = NO_SETTINGS,
    seed: int = 0,
    conditions: Conditions | None = None,
    past_failures: PastFailures | None = None,
    progress: Progress = silent,
) -> list[Learnt]:
    """One Learnt per kind asked for. The cut's last part only judges, those before it fit and calibrate.

    settings: kind -> what its model is made with, for those that are not made with the defaults.

    The features were built under `conditions`, which like `past_failures` are kept with every model. Until the last
    fit, outcomes are those of the cut: nothing is learnt from what only its judged time tells.
    Raises TooFewFailures when there are too few failures to learn from.
    """
    learning, judging = cut.learning, cut.judging
    known, later = cut.outcomes.take(learning), cut.outcomes.take(judging)
    refuse_too_few(known)
    tried = _try_all(_Task(features, outcomes, known, learning, judging, settings, seed), kinds, progress)
    calibrated = {kind: learn_calibration(each.left_out, known) for kind, each in tried.items()}
    risks = {kind: cumulative_risk(calibrated[kind].apply(each.judged)) for kind, each in tried.items()}
    told = {kind: cumulative_risk(calibrated[kind].apply(each.left_out)) for kind, each in tried.items()}
    seen = features.take(learning)
    limits = {kind: thresholds(each, seen.moments, known) for kind, each in told.items()}
    facts = {"split": cut.words, "seed": seed, "conditions": len(conditions.centres) if conditions else 1} | _facts(
        features, known, later, learning, judging
    )
    learnt = []
    for kind in kinds:
        others = [name for name in BASELINES if name != kind]
        card = evaluate(
            {"model": risks[kind]} | {name: risks[name] for name in others},
            {"model": limits[kind]} | {name: limits[name] for name in others},
            features.moments.take(judging),
            later,
            seed=seed,
        )
        card |= facts | {"kind": kind, "fit_seconds": round(tried[kind].seconds, 1)}
        if isinstance(model := tried[kind].model, Ensemble):
            card["weights"] = dict(zip(MEMBERS, model.weights.T.tolist(), strict=True))
        card["calibration"] = calibrated[kind].to_json()
        spread = Spread.learn(
            np.stack([cumulative_risk(calibrated[kind].apply(each)) for each in tried[kind].by_fold])
        )
        fitted = FittedModel(tried[kind].model, calibrated[kind], spread, conditions, None, past_failures)
        learnt.append(Learnt(fitted, card, told[kind], risks[kind]))
    return learnt


def refuse_too_few(outcomes: Outcomes) -> None:
    """Raises TooFewFailures."""
    failures = distinct_failures(outcomes)
    if failures < FEWEST_FAILURES:
        raise TooFewFailures(
            f"Risk is learnt from recorded failures: there are {failures} to learn from, and at least"
            f" {FEWEST_FAILURES} are needed."
        )


def distinct_failures(outcomes: Outcomes) -> int:
    return len(np.unique(outcomes.failure[outcomes.failure >= 0]))


@dataclass(frozen=True)
class _Task:
    """`known` are the outcomes of the learning rows as the cut tells them, `outcomes` all of them in full."""

    features: Features
    outcomes: Outcomes
    known: Outcomes
    learning: Rows
    judging: Rows
    settings: Mapping[str, Mapping[str, Any]]
    seed: int

    def make(self, kind: str) -> HazardModel:
        return KINDS[kind](**self.settings.get(kind, {}))


def _try_all(task: _Task, kinds: Sequence[str], progress: Progress) -> dict[str, _Tried]:
    """Every base kind fitted once a fold and twice more; the ensemble is put together from its members.

    Two kinds at a time: none keeps two cores busy by itself.
    """
    members = MEMBERS if Ensemble.kind in kinds else ()
    base = list(dict.fromkeys([*members, *(kind for kind in kinds if kind != Ensemble.kind), *BASELINES]))
    # The one that takes longest begins first.
    base.sort(key=lambda kind: kind != Lstm.kind)
    if Lstm.kind in base:
        # What TensorFlow's modules silence as they load, another thread would let be heard again.
        import_module("ml.models.network")
    with ThreadPoolExecutor(KINDS_AT_ONCE) as pool:
        tries = pool.map(partial(_try, task), base, side_by_side(progress, len(base)))
        tried = dict(zip(base, tries, strict=True))
    if Ensemble.kind in kinds:
        tried[Ensemble.kind] = _together([tried[kind] for kind in members], task.known)
    return tried


def _try(task: _Task, kind: str, progress: Progress) -> _Tried:
    started = time.monotonic()
    seen, later = task.features.take(task.learning), task.features.take(task.judging)
    fold = machine_folds(seen.moments.machine, task.known.failure, task.seed)
    fits, place = int(fold.max()) + 3, count()

    def fitted(features: Features, outcomes: Outcomes) -> HazardModel:
        begun = next(place)
        told = part_of(progress, begun / fits, (begun + 1) / fits)
        return task.make(kind).fit(features, outcomes, seed=task.seed, progress=told)

    left_out, models = left_out_hazards(fitted, seen, task.known, fold)
    judged = fitted(seen, task.known).hazards(later)
    everything = np.union1d(task.learning, task.judging)
    last = fitted(task.features.take(everything), task.outcomes.take(everything))
    by_fold = np.stack([model.hazards(later) for model in models])
    progress(1.0, f"{kind} learnt")
    return _Tried(left_out, by_fold, judged, last, time.monotonic() - started)


def _together(members: Sequence[_Tried], known: Outcomes) -> _Tried:
    weights = learn_weights([each.left_out for each in members], known)
    return _Tried(
        mix([each.left_out for each in members], weights),
        np.stack([mix(each, weights) for each in zip(*(member.by_fold for member in members), strict=True)]),
        mix([each.judged for each in members], weights),
        Ensemble(*(each.model for each in members), weights=weights),
        sum(each.seconds for each in members),
    )


def _facts(features: Features, known: Outcomes, later: Outcomes, learning: Rows, judging: Rows) -> dict[str, Any]:
    return {
        "features": len(features.names),
        "modes": list(known.modes),
        "learnt_from": _window(features, learning) | _failures(features, learning, known),
        "judged_on": _window(features, judging) | _failures(features, judging, later),
        "refit": REFIT,
        "band": BAND_IS,
    }


def _failures(features: Features, rows: Rows, outcomes: Outcomes) -> dict[str, Any]:
    """How many of these rows tell of, by mode and by month (`2026-11`)."""
    _, first = np.unique(outcomes.failure, return_index=True)
    first = first[outcomes.failure[first] >= 0]
    seconds = features.moments.as_of[rows[first]] + np.round(outcomes.hours_to_failure[first] * HOUR)
    months = [f"{datetime.fromtimestamp(each, UTC):%Y-%m}" for each in seconds.tolist()]
    modes = [outcomes.modes[each] for each in outcomes.mode[first].tolist()]
    return {
        "failures": len(first),
        "by_mode": {mode: modes.count(mode) for mode in outcomes.modes},
        "by_month": {month: months.count(month) for month in sorted(set(months))},
    }


def _window(features: Features, rows: Rows) -> dict[str, Any]:
    times = features.moments.as_of[rows]
    ends = (
        [datetime.fromtimestamp(int(each), UTC).isoformat() for each in (times.min(), times.max())]
        if len(rows)
        else []
    )
    return {
        "rows": len(rows),
        "machines": len(np.unique(features.moments.machine[rows])),
        "from": ends[0] if ends else None,
        "until": ends[1] if ends else None,
    }
