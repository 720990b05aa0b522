"""One forest per interval on the rows still at risk and observed; its class shares are the modes' hazards."""

from __future__ import annotations

import json
import os
import warnings
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.ensemble import RandomForestClassifier

from ml.features.history import Features
from ml.models.base import Floats, NotFitted, Outcomes, Progress, silent
from ml.models.columns import Matrix, matrix

# Trees over all intervals, so that 25 intervals cost little more than 5; fewer than 32 a forest are too rough.
TREES_IN_ALL = 640
MOST_TREES, FEWEST_TREES = 160, 32
# Groups of trees, each grown on machines weighted anew: their spread is the uncertainty of the whole.
BAGS = 8
LEAF = 4
SHARE_OF_FEATURES = "sqrt"
# Survivors kept for one forest, per row of a failure and at least; the rest stands in their weight.
SURVIVORS_PER_FAILURE = 10
FEWEST_SURVIVORS = 6000
MOST_THREADS = 4

# The one type of a forest that skops does not trust by itself: its node numbers are followed without a check, so
# `sound` checks them. Nothing else is ever loaded.
TRUSTED = ["sklearn.tree._tree.Tree"]

Rows = npt.NDArray[np.int64]


class RandomForest:
    kind: ClassVar[str] = "random_forest"

    def __init__(self, trees_in_all: int = TREES_IN_ALL, bags: int = BAGS) -> None:
        self.trees_in_all, self.bags = trees_in_all, bags
        self._names: tuple[str, ...] = ()
        self._modes = 0
        self._forests: list[RandomForestClassifier | None] = []
        self._rates: list[list[float]] = []

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        # Sorted names: which columns a tree may try must not depend on their order.
        self._names = tuple(sorted(features.names))
        self._modes = len(outcomes.modes)
        intervals = len(outcomes.horizons_hours)
        values = matrix(features, self._names)
        self._forests, self._rates = [], []
        trees = int(np.clip(self.trees_in_all / intervals, FEWEST_TREES, MOST_TREES))
        per_bag = max(1, round(min(trees, self.trees_in_all) / self.bags))
        for k in range(intervals):
            progress(k / intervals, f"forest {k + 1} of {intervals}")
            forest, rates = self._grow(values, features.moments.machine, outcomes, k, per_bag, seed)
            self._forests.append(forest)
            self._rates.append(rates)
        return self

    def _grow(
        self, values: Matrix, machine: Rows, outcomes: Outcomes, k: int, per_bag: int, seed: int
    ) -> tuple[RandomForestClassifier | None, list[float]]:
        rows, weight = kept_rows(outcomes, k, np.random.default_rng([seed, k]))
        classes = np.where(outcomes.interval[rows] == k, 1 + outcomes.mode[rows].clip(0), 0)
        total = max(weight.sum(), 1e-12)
        rates = [float(weight[classes == mode + 1].sum() / total) for mode in range(self._modes)]
        if len(np.unique(classes)) < 2:
            return None, rates
        return self._bagged(values[rows], classes, weight, machine[rows], per_bag, seed + 1000 * k), rates

    def _bagged(
        self, values: Matrix, classes: Rows, weight: Floats, machine: Rows, per_bag: int, seed: int
    ) -> RandomForestClassifier:
        """Bayesian bootstrap of whole machines (Rubin 1981): every bag weights them by Exponential(1)."""
        forest = RandomForestClassifier(
            n_estimators=0,
            min_samples_leaf=LEAF,
            max_features=SHARE_OF_FEATURES,
            warm_start=True,
            random_state=seed,
            n_jobs=min(MOST_THREADS, os.cpu_count() or 1),
        )
        random = np.random.default_rng(seed)
        for bag in range(self.bags):
            share = random.exponential(size=machine.max() + 1)[machine] if self.bags > 1 else 1.0
            forest.n_estimators += per_bag
            forest.random_state = seed + bag
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                forest.fit(values, classes, sample_weight=weight * share)
        return forest.set_params(n_jobs=1)

    def hazards(self, features: Features) -> Floats:
        return np.asarray(self.draws(features).mean(axis=0))

    def draws(self, features: Features) -> Floats:
        """[bags, n, K, M] what each group of trees says."""
        if not self._forests:
            raise NotFitted("The forest was not fitted.")
        values = matrix(features, self._names)
        said = np.zeros((self.bags, len(values), len(self._forests), self._modes))
        for k, (forest, rates) in enumerate(zip(self._forests, self._rates, strict=True)):
            said[:, :, k] = rates if forest is None else self._bag_hazards(forest, values, np.array(rates))
        return said

    def _bag_hazards(self, forest: RandomForestClassifier, values: Matrix, rates: Floats) -> Floats:
        """Shares of the classes, with one tree's worth of the base rate: a finite forest never proves a zero."""
        shares = np.zeros((self.bags, len(values), len(forest.classes_)))
        trees = len(forest.estimators_)
        for place, tree in enumerate(forest.estimators_):
            shares[place * self.bags // trees] += tree.tree_.predict(values).reshape(shares.shape[1:])
        hazards = np.zeros((self.bags, len(values), self._modes))
        for place, number in enumerate(forest.classes_):
            if number > 0:
                hazards[:, :, number - 1] = shares[:, :, place] * self.bags / trees
        return np.asarray((hazards * trees + rates) / (trees + 1))

    def parts(self) -> dict[str, bytes]:
        if not self._forests:
            raise NotFitted("The forest was not fitted.")
        settings = {"names": self._names, "modes": self._modes, "rates": self._rates, "bags": self.bags}
        return {
            "forest.json": json.dumps(settings | {"trees_in_all": self.trees_in_all}).encode(),
            "forest.skops": skops.io.dumps(self._forests, compression=8, compresslevel=6),
        }

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        settings = json.loads(parts["forest.json"])
        model = cls(settings["trees_in_all"], settings["bags"])
        model._names = tuple(settings["names"])
        model._modes, model._rates = settings["modes"], settings["rates"]
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
    known = np.flatnonzero(outcomes.observed[:, k])
    failed = outcomes.interval[known] == k
    survivors = known[~failed]
    keep = max(FEWEST_SURVIVORS, SURVIVORS_PER_FAILURE * int(failed.sum()))
    if len(survivors) <= keep:
        return known, outcomes.weight[known]
    chosen = np.sort(random.choice(survivors, keep, replace=False))
    scale = outcomes.weight[survivors].sum() / max(outcomes.weight[chosen].sum(), 1e-12)
    rows = np.concatenate([known[failed], chosen])
    weight = np.concatenate([outcomes.weight[known[failed]], outcomes.weight[chosen] * scale])
    return rows, weight
