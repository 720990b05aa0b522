"""The model of a plant without labels: it knows no risk and says why; the anomaly score speaks beside it."""

from __future__ import annotations

import json
from typing import ClassVar, Self

import numpy as np

from ml.features.history import Features
from ml.models.base import Floats, Outcomes, Progress, silent


class ConditionOnly:
    kind: ClassVar[str] = "anomaly"

    def __init__(self, intervals: int, reason: str) -> None:
        """`reason` stands in the place of every risk."""
        self.intervals, self.reason = intervals, reason

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        """There is nothing to learn: what is normal is read from each machine's own first buckets."""
        return self

    def hazards(self, features: Features) -> Floats:
        return np.full((len(features), self.intervals, 1), np.nan)

    def parts(self) -> dict[str, bytes]:
        return {"anomaly.json": json.dumps({"intervals": self.intervals, "reason": self.reason}).encode()}

    def parameters(self) -> dict[str, float | str]:
        return {"intervals": self.intervals}

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        return cls(**json.loads(parts["anomaly.json"]))
