"""A model as it is kept and asked: what was learnt, its calibration, and how sure it is of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from ml.calibration import Calibration
from ml.features.history import Features
from ml.models.base import Floats, HazardModel
from ml.models.registry import KINDS
from ml.uncertainty import Spread

PART = "fitted.json"


@dataclass(frozen=True)
class FittedModel:
    """`spread` is None where there was too little to learn it from; then there is no band."""

    model: HazardModel
    calibration: Calibration
    spread: Spread | None = None

    @property
    def kind(self) -> str:
        return self.model.kind

    def hazards(self, features: Features) -> Floats:
        """[n, K, M], calibrated."""
        return self.calibration.apply(self.model.hazards(features))

    def band(self, risk: Floats) -> tuple[Floats, Floats] | None:
        """[n, K] low and high around cumulative risks [n, K]: see ml.uncertainty.BAND_IS."""
        return self.spread.band(risk) if self.spread else None

    def parts(self) -> dict[str, bytes]:
        said = {"calibration": self.calibration.to_json(), "spread": self.spread and self.spread.to_json()}
        return self.model.parts() | {PART: json.dumps(said).encode()}

    @classmethod
    def from_parts(cls, kind: str, parts: dict[str, bytes]) -> FittedModel:
        said = json.loads(parts[PART])
        spread = Spread(np.array(said["spread"])) if said["spread"] else None
        return cls(KINDS[kind].from_parts(parts), Calibration.from_json(said["calibration"]), spread)
