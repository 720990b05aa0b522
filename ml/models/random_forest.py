"""One forest per interval on the rows still at risk; its class shares are the modes' hazards."""

from __future__ import annotations

import json
import os
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.ensemble import RandomForestClassifier

from ml.features.history import Features
from ml.models.arrays import from_npz, to_npz
from ml.models.base import Floats, NotFitted, Outcomes, Progress, silent
from ml.models.columns import Matrix, matrix
from ml.models.levels import LEVELS, Levels

# Trees over all intervals, so that 25 intervals cost little more than 5; fewer than 24 a forest are too rough.
TREES_IN_ALL = 640
MOST_TREES, FEWEST_TREES = 160, 24
# Of the thinned moments, a dozen a failure. docs/decisions/models.md: 12 is a little better where warnings are long
# and blurred, 5 where they are sharp; 8 is nearly as good in both.
LEAF = 8
SHARE_OF_FEATURES = "sqrt"
# Survivors kept for one forest, per row of a failure and at least; the rest stands in their weight.
SURVIVORS_PER_FAILURE = 5
FEWEST_SURVIVORS = 6000
MOST_THREADS = 4

# The one type of a forest that skops does not trust by itself: its node numbers are followed without a check, so
# `sound` checks them. Nothing else is ever loaded.
TRUSTED = ["sklearn.tree._tree.Tree"]

Rows = npt.NDArray[np.int64]


class RandomForest:
    kind: ClassVar[str] = "random_forest"

    def __init__(
        self, trees_in_all: int = TREES_IN_ALL, leaf: int = LEAF, share: float | str = SHARE_OF_FEATURES
    ) -> None:
        self.trees_in_all, self.leaf, self.share = trees_in_all, leaf, share
        self._names: tuple[str, ...] = ()
        self._modes = 0
        self._levels = Levels.none()
        self._forests: list[RandomForestClassifier | None] = []
        self._rates: list[list[float]] = []

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        # Sorted names: which columns a tree may try must not depend on their order.
        self._names = tuple(sorted(features.names))
        self._modes = len(outcomes.modes)
        intervals = len(outcomes.horizons_hours)
        values = matrix(features, self._names)
        self._levels = Levels.learn(values, outcomes.failure >= 0, LEVELS)
        levels = self._levels.apply(values)
        self._forests, self._rates = [], []
        trees = int(np.clip(self.trees_in_all / intervals, min(FEWEST_TREES, self.trees_in_all), MOST_TREES))
        for k in range(intervals):
            progress(k / intervals, f"forest {k + 1} of {intervals}")
            forest, rates = self._grow(levels, outcomes, k, trees, seed)
            self._forests.append(forest)
            self._rates.append(rates)
        return self

    def _grow(
        self, levels: Matrix, outcomes: Outcomes, k: int, trees: int, seed: int
    ) -> tuple[RandomForestClassifier | None, list[float]]:
        rows, weight = kept_rows(outcomes, k, np.random.default_rng([seed, k]))
        classes = np.where(outcomes.interval[rows] == k, 1 + outcomes.mode[rows].clip(0), 0)
        total = max(weight.sum(), 1e-12)
        rates = [float(weight[classes == mode + 1].sum() / total) for mode in range(self._modes)]
        if len(np.unique(classes)) < 2:
            return None, rates
        forest = RandomForestClassifier(
            trees,
            min_samples_leaf=self.leaf,
            max_features=self.share,
            random_state=seed + k,
            n_jobs=min(MOST_THREADS, os.cpu_count() or 1),
        )
        forest.fit(levels[rows], classes, sample_weight=weight)
        return forest.set_params(n_jobs=1), rates

    def hazards(self, features: Features) -> Floats:
        if not self._forests:
            raise NotFitted("The forest was not fitted.")
        levels = self._levels.apply(matrix(features, self._names))
        hazards = np.zeros((len(levels), len(self._forests), self._modes))
        for k, (forest, rates) in enumerate(zip(self._forests, self._rates, strict=True)):
            hazards[:, k] = rates if forest is None else self._asked(forest, levels, np.array(rates))
        return hazards

    def _asked(self, forest: RandomForestClassifier, levels: Matrix, rates: Floats) -> Floats:
        """Shares of the classes, with one tree's worth of the base rate: a finite forest never proves a zero."""
        trees = len(forest.estimators_)
        votes = np.zeros((len(levels), 1 + self._modes))
        for tree in forest.estimators_:
            votes[:, forest.classes_] += tree.tree_.predict(levels).reshape(len(levels), len(forest.classes_))
        return np.asarray((votes[:, 1:] + rates) / (trees + 1))

    def parts(self) -> dict[str, bytes]:
        if not self._forests:
            raise NotFitted("The forest was not fitted.")
        settings = {"names": self._names, "modes": self._modes, "rates": self._rates}
        settings |= {"trees_in_all": self.trees_in_all, "leaf": self.leaf, "share": self.share}
        return {
            "forest.json": json.dumps(settings).encode(),
            "forest.npz": to_npz(self._levels.arrays()),
            "forest.skops": skops.io.dumps(self._forests, compression=8, compresslevel=6),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "trees_in_all": self.trees_in_all,
            "leaf": self.leaf,
            "share_of_features": self.share,
            "levels": LEVELS,
            "survivors_per_failure": SURVIVORS_PER_FAILURE,
            "fewest_survivors": FEWEST_SURVIVORS,
        }

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        settings = json.loads(parts["forest.json"])
        model = cls(settings["trees_in_all"], settings["leaf"], settings["share"])
        model._names = tuple(settings["names"])
        model._modes, model._rates = settings["modes"], settings["rates"]
        model._levels = Levels.from_arrays(from_npz(parts["forest.npz"]), len(model._names))
        model._forests = skops.io.loads(parts["forest.skops"], trusted=TRUSTED)
        if not all(sound(forest, len(model._names)) for forest in model._forests if forest is not None):
            raise ValueError("A tree of the forest points outside itself.")
        return model


def sound(forest: RandomForestClassifier, features: int) -> bool:
    """Every branch leads further down within its tree and asks for a feature that exists."""
    for each in forest.estimators_:
        tree = each.tree_
        left, right, own = tree.children_left, tree.children_right, np.arange(tree.node_count)
        inner = left != -1
        ends = (right[~inner] == -1).all()
        down = ((left > own) & (right > own) & (left < tree.node_count) & (right < tree.node_count))[inner].all()
        asked = ((tree.feature >= 0) & (tree.feature < features))[inner].all()
        if not (ends and down and asked):
            return False
    return True


def kept_rows(outcomes: Outcomes, k: int, random: np.random.Generator) -> tuple[Rows, Floats]:
    """Every row whose failure falls into interval k, and so many of its survivors, which weigh more for it."""
    rows, weight = outcomes.at_risk(k)
    failed = outcomes.interval[rows] == k
    survivors = np.flatnonzero(~failed)
    keep = max(FEWEST_SURVIVORS, SURVIVORS_PER_FAILURE * int(failed.sum()))
    if len(survivors) <= keep:
        return rows, weight
    chosen = np.sort(random.choice(survivors, keep, replace=False))
    scale = weight[survivors].sum() / max(weight[chosen].sum(), 1e-12)
    kept = np.concatenate([np.flatnonzero(failed), chosen])
    return rows[kept], np.concatenate([weight[failed], weight[chosen] * scale])
