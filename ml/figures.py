"""Figures of merit on weighted rows, fast enough to be resampled; ml.evaluation makes cards of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

BINS = 10


@dataclass(frozen=True)
class Ranked:
    """Rows by falling score; `ends` are the last rows of each run of equal scores."""

    order: Ints
    ends: Ints
    scores: Floats

    @classmethod
    def by(cls, scores: Floats) -> Ranked:
        order = np.argsort(-scores, kind="stable")
        falling = scores[order]
        ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1) if len(falling) else np.zeros(0, int)
        return cls(order, ends, falling)


def _sums(ranked: Ranked, truth: Flags, weight: Floats) -> tuple[Floats, Floats]:
    """Weight of failures and of others at or above each distinct score."""
    weight, truth = weight[ranked.order], truth[ranked.order]
    hits = np.cumsum(weight * truth)[ranked.ends]
    return hits, np.cumsum(weight * ~truth)[ranked.ends]


def pr_auc(ranked: Ranked, truth: Flags, weight: Floats) -> float:
    """Average precision: sum of the gains in recall x precision there; NaN without a failure."""
    hits, misses = _sums(ranked, truth, weight)
    if not len(hits) or hits[-1] <= 0:
        return float("nan")
    precision = hits / np.maximum(hits + misses, 1e-300)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def roc_auc(ranked: Ranked, truth: Flags, weight: Floats) -> float:
    """Share of (failure, other) pairs in the right order, ties half; NaN where one side is missing."""
    hits, misses = _sums(ranked, truth, weight)
    if not len(hits) or hits[-1] <= 0 or misses[-1] <= 0:
        return float("nan")
    heights = (hits + np.concatenate([[0.0], hits[:-1]])) / 2
    return float((np.diff(misses, prepend=0.0) * heights).sum() / hits[-1] / misses[-1])


def brier(risk: Floats, truth: Flags, weight: Floats) -> float:
    return float(np.average((risk - truth) ** 2, weights=weight)) if weight.sum() > 0 else float("nan")


@dataclass(frozen=True)
class Reliability:
    """Equal bins of [0, 1]: mean predicted, observed share and weight of each."""

    predicted: Floats
    observed: Floats
    weight: Floats

    @classmethod
    def of(cls, risk: Floats, truth: Flags, weight: Floats) -> Reliability:
        place = np.clip((risk * BINS).astype(int), 0, BINS - 1)
        total = np.bincount(place, weight, BINS).astype(float)
        safe = np.maximum(total, 1e-300)
        return cls(
            np.bincount(place, weight * risk, BINS) / safe, np.bincount(place, weight * truth, BINS) / safe, total
        )

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of predicted and observed, by weight (Naeini 2015)."""
        if self.weight.sum() <= 0:
            return float("nan")
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.weight))

    def points(self) -> list[dict[str, float]]:
        return [
            {"predicted": float(f"{p:.5g}"), "observed": float(f"{o:.5g}"), "weight": round(float(w), 2)}
            for p, o, w in zip(self.predicted, self.observed, self.weight, strict=True)
            if w > 0
        ]


def said_and_seen(points: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """Mean predicted and observed share of all points of a reliability curve; 0 and 0 without any."""
    total = sum(point["weight"] for point in points) or 1.0
    said, seen = (
        sum(point["weight"] * point[side] for point in points) / total for side in ("predicted", "observed")
    )
    return said, seen


def at_threshold(alert: Flags, truth: Flags, weight: Floats) -> dict[str, float]:
    hits, alerts, failures = (float(weight[rows].sum()) for rows in (alert & truth, alert, truth))
    return {
        "precision": hits / alerts if alerts else float("nan"),
        "recall": hits / failures if failures else float("nan"),
        "f1": 2 * hits / (alerts + failures) if failures else float("nan"),
    }


def pr_curve(ranked: Ranked, truth: Flags, weight: Floats, points: int) -> list[dict[str, float]]:
    """At most `points` of the curve, evenly along recall, ends kept."""
    hits, misses = _sums(ranked, truth, weight)
    if not len(hits) or hits[-1] <= 0:
        return []
    recall = hits / hits[-1]
    chosen = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, points)).clip(0, len(recall) - 1))
    scores = ranked.scores[ranked.ends]
    precision = hits / (hits + misses)
    return [
        {"recall": round(float(recall[i]), 4), "precision": round(float(precision[i]), 4),
         "threshold": round(float(scores[i]), 5)}
        for i in chosen
    ]  # fmt: skip


def finite(figures: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what could not be said is None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in figures.items()
    }
