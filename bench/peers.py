"""What others would do with the same data: the tutorials' forest on raw readings, LightGBM on our features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from ml.features.history import Features, Floats
from ml.models.base import Outcomes
from ml.models.columns import matrix

# Of a moment (rows), the chance to fail within one horizon.
Peer = Callable[[Features, Outcomes, Features, int], Floats]
NOW = (".mean.1",)


def tutorial_forest(taught: Features, outcomes: Outcomes, asked: Features, k: int) -> Floats:
    """scikit-learn's defaults on the last readings of our thinned moments, fails within the horizon or not."""
    names = tuple(name for name in taught.names if name.endswith(NOW))
    rows = np.flatnonzero(outcomes.observed[:, k] | (outcomes.interval <= k))
    forest = RandomForestClassifier(random_state=0, n_jobs=2)
    forest.fit(_filled(taught, names)[rows], outcomes.interval[rows] <= k, sample_weight=outcomes.weight[rows])
    return np.asarray(forest.predict_proba(_filled(asked, names))[:, 1])


def lightgbm(taught: Features, outcomes: Outcomes, asked: Features, k: int) -> Floats:
    """Its defaults on the same features and rows as ours. Raises ImportError where it is not installed."""
    from lightgbm import LGBMClassifier

    rows = np.flatnonzero(outcomes.observed[:, k] | (outcomes.interval <= k))
    booster = LGBMClassifier(random_state=0, n_jobs=2, verbose=-1)
    booster.fit(
        matrix(taught, taught.names)[rows], outcomes.interval[rows] <= k, sample_weight=outcomes.weight[rows]
    )
    return np.asarray(booster.predict_proba(matrix(asked, taught.names))[:, 1])


PEERS: dict[str, Peer] = {"tutorial forest on raw readings": tutorial_forest, "LightGBM on our features": lightgbm}


def _filled(features: Features, names: tuple[str, ...]) -> np.ndarray:
    return np.nan_to_num(matrix(features, names), nan=0.0)
