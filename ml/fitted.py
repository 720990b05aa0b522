"""A model as it is kept and asked: what was learnt, its calibration, how sure it is of itself, and how it looks."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from ml.calibration import Calibration
from ml.features.conditions import Conditions
from ml.features.history import Features, History
from ml.models.base import Floats, HazardModel
from ml.models.condition_only import ConditionOnly
from ml.models.registry import KEPT
from ml.past_failures import PastFailures
from ml.reference import Reference
from ml.uncertainty import Spread

PART = "fitted.json"


@dataclass(frozen=True)
class FittedModel:
    """`spread` is None where there was too little to learn it from; then there is no band.

    `conditions` is None where the machines run under one. Features are built from `looked_at(history)`.
    `reference` is a sample of what they looked like in learning, `past_failures` what some looked like before they
    failed; None where there was nothing to keep.
    """

    model: HazardModel
    calibration: Calibration
    spread: Spread | None = None
    conditions: Conditions | None = None
    reference: Reference | None = None
    past_failures: PastFailures | None = None

    @property
    def kind(self) -> str:
        return self.model.kind

    @property
    def says_nothing(self) -> str | None:
        """Why this model knows no risk; None where it does."""
        return self.model.reason if isinstance(self.model, ConditionOnly) else None

    def looked_at(self, history: History) -> History:
        """The history as this model was taught to see it."""
        return self.conditions.apply(history) if self.conditions else history

    def hazards(self, features: Features) -> Floats:
        """[n, K, M], calibrated."""
        return self.calibration.apply(self.model.hazards(features))

    def band(self, risk: Floats) -> tuple[Floats, Floats] | None:
        """[n, K] low and high around cumulative risks [n, K]: see ml.uncertainty.BAND_IS."""
        return self.spread.band(risk) if self.spread else None

    def parts(self) -> dict[str, bytes]:
        said = {
            "calibration": self.calibration.to_json(),
            "spread": self.spread and self.spread.to_json(),
            "conditions": self.conditions and self.conditions.to_json(),
        }
        kept = self.past_failures.parts() if self.past_failures else {}
        kept |= self.reference.parts() if self.reference else {}
        return self.model.parts() | kept | {PART: json.dumps(said).encode()}

    @classmethod
    def from_parts(cls, kind: str, parts: dict[str, bytes]) -> FittedModel:
        said = json.loads(parts[PART])
        spread = Spread(np.array(said["spread"])) if said["spread"] else None
        conditions = Conditions.from_json(said["conditions"]) if said["conditions"] else None
        model = KEPT[kind].from_parts(parts)
        calibration = Calibration.from_json(said["calibration"])
        kept = Reference.from_parts(parts), PastFailures.from_parts(parts)
        return cls(model, calibration, spread, conditions, *kept)
