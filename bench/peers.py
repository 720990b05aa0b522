"""What others would do with the same data: the tutorials' forest on raw readings, LightGBM and MiniRocket on ours.

LightGBM and aeon are not ours: a peer whose library is not installed is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.features.history import Features, Floats
from ml.models.base import Outcomes
from ml.models.columns import matrix

# Of a moment (rows), the chance to fail within one horizon.
Peer = Callable[[Features, Outcomes, Features, int], Floats]
NOW = (".mean.1",)
# Moments transformed at a time: MiniRocket makes some ten thousand numbers of each.
AT_ONCE = 5_000


def tutorial_forest(taught: Features, outcomes: Outcomes, asked: Features, k: int) -> Floats:
    """scikit-learn's defaults on the last readings of our thinned moments, fails within the horizon or not."""
    names = tuple(name for name in taught.names if name.endswith(NOW))
    rows = np.flatnonzero(outcomes.survived(k) | (outcomes.interval <= k))
    forest = RandomForestClassifier(random_state=0, n_jobs=2)
    forest.fit(_filled(taught, names)[rows], outcomes.interval[rows] <= k, sample_weight=outcomes.weight[rows])
    return np.asarray(forest.predict_proba(_filled(asked, names))[:, 1])


def lightgbm(taught: Features, outcomes: Outcomes, asked: Features, k: int) -> Floats:
    """Its defaults on the same features and rows as ours. Raises ImportError where it is not installed."""
    from lightgbm import LGBMClassifier

    rows = np.flatnonzero(outcomes.survived(k) | (outcomes.interval <= k))
    booster = LGBMClassifier(random_state=0, n_jobs=2, verbose=-1)
    booster.fit(
        matrix(taught, taught.names)[rows], outcomes.interval[rows] <= k, sample_weight=outcomes.weight[rows]
    )
    return np.asarray(booster.predict_proba(matrix(asked, taught.names))[:, 1])


def minirocket(taught: Features, outcomes: Outcomes, asked: Features, k: int) -> Floats:
    """Dempster et al. 2021 with its defaults on the windows that our network sees, logistic regression behind it.

    Raises ImportError where aeon is not installed.
    """
    from aeon.transformations.collection.convolution_based import MiniRocket

    rows = np.flatnonzero(outcomes.survived(k) | (outcomes.interval <= k))
    scaling = StandardScaler().fit(taught.blocks[rows].reshape(-1, taught.blocks.shape[2]))
    rocket = MiniRocket(random_state=0, n_jobs=2).fit(_series(taught.take(rows), scaling))
    regression = make_pipeline(StandardScaler(), SGDClassifier("log_loss", random_state=0))
    regression.fit(
        rocket.transform(_series(taught.take(rows), scaling)),
        outcomes.interval[rows] <= k,
        sgdclassifier__sample_weight=outcomes.weight[rows],
    )
    parts = np.array_split(np.arange(len(asked)), len(asked) // AT_ONCE + 1)
    said = [regression.predict_proba(rocket.transform(_series(asked.take(part), scaling)))[:, 1] for part in parts]
    return np.concatenate(said)


def _series(features: Features, scaling: StandardScaler) -> np.ndarray:
    """[n, channels, steps], 0 where nothing is known."""
    n, steps, channels = features.blocks.shape
    scaled = scaling.transform(features.blocks.reshape(-1, channels)).reshape(n, steps, channels)
    return np.nan_to_num(scaled, nan=0.0).astype(np.float32).transpose(0, 2, 1)


PEERS: dict[str, Peer] = {
    "tutorial forest on raw readings": tutorial_forest,
    "LightGBM on our features": lightgbm,
    "MiniRocket on our windows": minirocket,
}


def _filled(features: Features, names: tuple[str, ...]) -> np.ndarray:
    return np.nan_to_num(matrix(features, names), nan=0.0)
