"""Settings of forest and boosting found by trying, for who has the time: judged on machines left out, never on the
judged time.

The network is left as it is: one try of it takes as long as all others together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from ml.calibration import unlikelihoods
from ml.features.history import Features
from ml.folds import left_out_hazards, machine_folds
from ml.models.base import HazardModel, Outcomes, Progress, part_of, silent
from ml.models.boosting import Boosting
from ml.models.random_forest import RandomForest

# A setting has to explain the failures so much better, in units of log likelihood counted by failures, that its
# four numbers are worth it (Akaike 1974); else the defaults stay, of which much more is known.
WORTH_IT = 4.0
FEWEST_TRIES = 2

Settings = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Of one kind: the settings to use, none for the defaults; how many were tried; how far the best is ahead."""

    settings: Settings
    tried: int
    gained: float

    @property
    def words(self) -> str:
        told = ", ".join(f"{name} {value:.3g}" for name, value in self.settings.items())
        if not told:
            return f"{self.tried} settings tried, none worth leaving the defaults for"
        return f"{self.tried} settings tried: {told}"


def _forest(trial: optuna.Trial) -> Settings:
    return {
        "leaf": trial.suggest_int("leaf", 2, 30, log=True),
        "share": trial.suggest_float("share", 0.03, 0.5, log=True),
    }


def _boosting(trial: optuna.Trial) -> Settings:
    return {
        "leaves": trial.suggest_int("leaves", 3, 31, log=True),
        "share": trial.suggest_float("share", 0.05, 1.0, log=True),
        "learnt_in_all": trial.suggest_float("learnt_in_all", 0.75, 7.5, log=True),
    }


TRIED: Mapping[str, tuple[Callable[..., HazardModel], Callable[[optuna.Trial], Settings]]] = {
    RandomForest.kind: (RandomForest, _forest),
    Boosting.kind: (Boosting, _boosting),
}


def search(
    features: Features, outcomes: Outcomes, seconds: float, seed: int, progress: Progress = silent
) -> dict[str, Found]:
    """kind -> what was found, each kind given an equal part of the time; a try under way is finished."""
    part, found = 1 / len(TRIED), {}
    for place, kind in enumerate(TRIED):
        told = part_of(progress, place * part, (place + 1) * part)
        found[kind] = _search(kind, features, outcomes, seconds * part, seed, told)
    return found


def _search(
    kind: str, features: Features, outcomes: Outcomes, seconds: float, seed: int, progress: Progress
) -> Found:
    make, suggested = TRIED[kind]

    fold = machine_folds(features.moments.machine, outcomes.failure, seed)

    def cost(settings: Settings) -> float:
        def fitted(some: Features, became: Outcomes) -> HazardModel:
            return make(**settings).fit(some, became, seed=seed)

        left_out, _ = left_out_hazards(fitted, features, outcomes, fold)
        return float(unlikelihoods(left_out, outcomes).sum())

    started = time.monotonic()
    usual = cost({})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    while len(study.trials) < FEWEST_TRIES or time.monotonic() - started < seconds:
        spent = min((time.monotonic() - started) / max(seconds, 1e-9), 1.0)
        progress(spent, f"search {kind}: {len(study.trials)} settings tried")
        trial = study.ask()
        study.tell(trial, cost(suggested(trial)))
    gained = usual - study.best_value
    return Found(study.best_params if gained > WORTH_IT else {}, len(study.trials), gained)
