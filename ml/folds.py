"""Whole machines left out in turn: what a model says of machines it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ml.features.history import Features
from ml.models.base import Floats, HazardModel, Outcomes

# Three folds cost two fits' time in all and leave two thirds of the machines to learn from.
FOLDS = 3

Rows = npt.NDArray[np.int64]
Fit = Callable[[Features, Outcomes], HazardModel]


def left_out_hazards(
    fit: Fit, features: Features, outcomes: Outcomes, fold: Rows
) -> tuple[Floats, list[HazardModel]]:
    """[n, K, M] the hazards of each row by a model that saw none of its fold; the models in the order of folds."""
    left_out = np.zeros((len(features), len(outcomes.horizons_hours), len(outcomes.modes)))
    models = []
    for number in range(int(fold.max()) + 1):
        out = fold == number
        models.append(fit(features.take(~out), outcomes.take(~out)))
        left_out[out] = models[-1].hazards(features.take(out))
    return left_out, models


def machine_folds(machine: Rows, failure: Rows, seed: int) -> Rows:
    """[n] fold of each row: whole machines, those with most failures dealt out first. One machine: by halves."""
    machines = np.unique(machine)
    if len(machines) < 2:
        return (np.arange(len(machine)) >= len(machine) / 2).astype(np.int64)
    failures = [len(np.unique(failure[(machine == each) & (failure >= 0)])) for each in machines]
    random = np.random.default_rng(seed).random(len(machines))
    order = np.lexsort((random, -np.array(failures)))
    place = np.empty(len(machines), np.int64)
    place[order] = np.arange(len(machines)) % min(FOLDS, len(machines))
    return np.asarray(place[np.searchsorted(machines, machine)])
