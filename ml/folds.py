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


def left_out_hazards(make: Callable[[], HazardModel], features: Features, outcomes: Outcomes, seed: int) -> Floats:
    """[n, K, M] each row's hazards by a model that saw none of its machine."""
    fold = machine_folds(features.moments.machine, outcomes.failure, seed)
    left_out = np.zeros((len(features), len(outcomes.horizons_hours), len(outcomes.modes)))
    for number in range(int(fold.max()) + 1):
        out = fold == number
        model = make().fit(features.take(~out), outcomes.take(~out), seed=seed)
        left_out[out] = model.hazards(features.take(out))
    return left_out


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
