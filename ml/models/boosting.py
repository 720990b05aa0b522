"""One boosted chain of small trees per interval; what kind of failure it would be is a chain of its own.

Few failures are told apart by few features each: small trees in turn find them where a forest's mean blurs them.
"""

from __future__ import annotations

import json
import os
import warnings
from typing import ClassVar, Self

import numpy as np
import skops.io
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ml.features.history import Features
from ml.models.arrays import from_npz, to_npz
from ml.models.base import Floats, NotFitted, Outcomes, Progress, silent
from ml.models.columns import Matrix, matrix
from ml.models.levels import LEVELS, Levels
from ml.models.random_forest import Rows, kept_rows

# Steps over all intervals, so that 25 intervals cost little more than 5; with fewer, each is larger.
STEPS_IN_ALL = 500
MOST_STEPS, FEWEST_STEPS = 100, 30
LEARNT_IN_ALL = 2.5
LEAVES = 8
SHARE_OF_FEATURES = 0.3
# The kinds of failure, from the moments before failures alone.
MODE_STEPS = 40
MOST_THREADS = 4

# The one type of a chain that skops does not trust by itself: its node numbers are followed without a check, so
# `sound` checks them. Nothing else is ever loaded.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class Boosting:
    kind: ClassVar[str] = "boosting"

    def __init__(
        self,
        steps_in_all: int = STEPS_IN_ALL,
        leaves: int = LEAVES,
        share: float = SHARE_OF_FEATURES,
        learnt_in_all: float = LEARNT_IN_ALL,
    ) -> None:
        self.steps_in_all, self.leaves, self.share, self.learnt_in_all = steps_in_all, leaves, share, learnt_in_all
        self._names: tuple[str, ...] = ()
        self._levels = Levels.none()
        self._rates: list[list[float]] = []
        self._chains: list[HistGradientBoostingClassifier | None] = []
        self._by_mode: HistGradientBoostingClassifier | None = None

    def parameters(self) -> dict[str, float | str]:
        return {
            "steps_in_all": self.steps_in_all,
            "leaves": self.leaves,
            "share_of_features": self.share,
            "learnt_in_all": self.learnt_in_all,
            "levels": LEVELS,
        }

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        intervals = len(outcomes.horizons_hours)
        # Sorted names: which columns a tree may try must not depend on their order.
        self._names = _varying(features, tuple(sorted(features.names)))
        values = matrix(features, self._names)
        self._levels = Levels.learn(values, outcomes.failure >= 0, LEVELS)
        levels = self._levels.apply(values)
        steps = int(np.clip(self.steps_in_all / intervals, min(FEWEST_STEPS, self.steps_in_all), MOST_STEPS))
        chosen = [kept_rows(outcomes, k, np.random.default_rng([seed, k])) for k in range(intervals)]
        failing = [outcomes.interval[rows] == k for k, (rows, _) in enumerate(chosen)]
        self._rates = [
            _rates(outcomes.mode[rows], fails, weight, len(outcomes.modes))
            for fails, (rows, weight) in zip(failing, chosen, strict=True)
        ]
        progress(0.0, f"{intervals} chains of {steps} trees")
        # Each chain sets the filters of warnings for a while, and side by side they may leave none behind.
        with warnings.catch_warnings():
            self._chains = Parallel(min(MOST_THREADS, os.cpu_count() or 1), prefer="threads")(
                delayed(self._grown)(levels[rows], fails, weight, steps, seed + k)
                for k, (fails, (rows, weight)) in enumerate(zip(failing, chosen, strict=True))
            )
        progress(0.9, "kinds of failure")
        told = np.flatnonzero((outcomes.interval < intervals) & (outcomes.mode >= 0))
        self._by_mode = self._grown(levels[told], outcomes.mode[told], outcomes.weight[told], MODE_STEPS, seed)
        return self

    def _grown(
        self, levels: Matrix, classes: np.ndarray, weight: Floats, steps: int, seed: int
    ) -> HistGradientBoostingClassifier | None:
        """None where there is nothing to tell apart."""
        if len(np.unique(classes)) < 2 or not levels.shape[1]:
            return None
        chain = HistGradientBoostingClassifier(
            max_iter=steps,
            learning_rate=self.learnt_in_all / steps,
            max_leaf_nodes=self.leaves,
            max_features=self.share,
            max_bins=LEVELS,
            early_stopping=False,
            random_state=seed,
        )
        # The library refuses a column of which these rows know nothing; one that never changes is never asked.
        levels = np.where(np.isfinite(levels).any(axis=0), levels, 0.0)
        # Chains grow side by side, each on one thread; threads within one would wait for each other at every leaf.
        with threadpool_limits(1, "openmp"):
            return chain.fit(levels, classes, sample_weight=weight / weight.mean())

    def hazards(self, features: Features) -> Floats:
        if not self._chains:
            raise NotFitted("The chain was not fitted.")
        levels, rates = self._levels.apply(matrix(features, self._names)), np.array(self._rates)
        shares = self._shares(levels, rates)
        totals = np.tile(rates.sum(axis=1), (len(levels), 1))
        for k, chain in enumerate(self._chains):
            if chain is not None and len(levels):
                totals[:, k] = chain.predict_proba(levels)[:, 1]
        return np.asarray(totals[:, :, None] * shares[:, None, :])

    def _shares(self, levels: Matrix, rates: Floats) -> Floats:
        """[n, M] of the failure modes, were it to fail."""
        common = rates.sum(axis=0) / max(rates.sum(), 1e-300) if rates.any() else np.full(rates.shape[1], 1.0)
        shares = np.tile(common / common.sum(), (len(levels), 1))
        if self._by_mode is not None and len(levels):
            shares[:] = 0
            shares[:, self._by_mode.classes_.astype(int)] = self._by_mode.predict_proba(levels)
        return shares

    def parts(self) -> dict[str, bytes]:
        if not self._chains:
            raise NotFitted("The chain was not fitted.")
        made_with = [self.steps_in_all, self.leaves, self.share, self.learnt_in_all]
        settings = {"names": self._names, "rates": self._rates, "made_with": made_with}
        return {
            "boosting.json": json.dumps(settings).encode(),
            "boosting.npz": to_npz(self._levels.arrays()),
            "boosting.skops": skops.io.dumps([*self._chains, self._by_mode], compression=8, compresslevel=6),
        }

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        settings = json.loads(parts["boosting.json"])
        model = cls(*settings["made_with"])
        model._names, model._rates = tuple(settings["names"]), settings["rates"]
        model._levels = Levels.from_arrays(from_npz(parts["boosting.npz"]), len(model._names))
        *model._chains, model._by_mode = skops.io.loads(parts["boosting.skops"], trusted=TRUSTED)
        chains = [*model._chains, model._by_mode]
        if not all(sound(chain, len(model._names)) for chain in chains if chain is not None):
            raise ValueError("A tree of the chain points outside itself.")
        return model


def sound(chain: HistGradientBoostingClassifier, features: int) -> bool:
    """Every branch leads further down within its tree and asks for the size of a feature that exists."""
    for tree in (tree for step in chain._predictors for tree in step):
        nodes, own = tree.nodes, np.arange(len(tree.nodes))
        inner = nodes["is_leaf"] == 0
        left, right, asked = (nodes[name].astype(np.int64) for name in ("left", "right", "feature_idx"))
        down = (left > own) & (right > own) & (left < len(nodes)) & (right < len(nodes))
        known = (asked >= 0) & (asked < features) & (nodes["is_categorical"] == 0)
        if not (len(nodes) and (down & known)[inner].all()):
            return False
    return True


def _varying(features: Features, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those with at least two values: nothing else can be asked, and it costs as much."""
    values = matrix(features, names)
    known = np.isfinite(values)
    low, high = np.where(known, values, np.inf).min(axis=0), np.where(known, values, -np.inf).max(axis=0)
    return tuple(name for name, varies in zip(names, high > low, strict=True) if varies)


def _rates(mode: Rows, fails: np.ndarray, weight: Floats, modes: int) -> list[float]:
    """Share of the rows that fail, by mode."""
    total = max(weight.sum(), 1e-12)
    return [float(weight[fails & (mode.clip(0) == each)].sum() / total) for each in range(modes)]
