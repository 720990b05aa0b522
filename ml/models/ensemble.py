"""Forest, boosting and network together: a weighted mean of hazards on the log-odds scale, where errors cancel."""

from __future__ import annotations

import json
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.features.history import Features
from ml.models.base import Floats, HazardModel, NotFitted, Outcomes, Progress, silent
from ml.models.boosting import Boosting
from ml.models.lstm import Lstm
from ml.models.odds import mix
from ml.models.random_forest import RandomForest


class Ensemble:
    kind: ClassVar[str] = "ensemble"

    def __init__(self, *members: HazardModel, weights: npt.ArrayLike | None = None) -> None:
        """Members that are fitted already make a fitted ensemble. `weights` as in `mix`."""
        self.members: tuple[HazardModel, ...] = members or (RandomForest(), Boosting(), Lstm())
        self.weights = np.ones(len(self.members)) if weights is None else np.asarray(weights, float)

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        for place, member in enumerate(self.members):
            progress(place / len(self.members), member.kind)
            member.fit(features, outcomes, seed=seed)
        return self

    def hazards(self, features: Features) -> Floats:
        return mix([member.hazards(features) for member in self.members], self.weights)

    def parts(self) -> dict[str, bytes]:
        kinds = [member.kind for member in self.members]
        parts = {"ensemble.json": json.dumps({"members": kinds, "weights": self.weights.tolist()}).encode()}
        for member in self.members:
            parts |= {f"{member.kind}/{name}": content for name, content in member.parts().items()}
        return parts

    def parameters(self) -> dict[str, float | str]:
        """The members' own, each under its kind; the weights are learnt and stand in the card."""
        return {
            f"{member.kind}.{name}": value for member in self.members for name, value in member.parameters().items()
        }

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        classes: dict[str, type[HazardModel]] = {each.kind: each for each in (RandomForest, Boosting, Lstm)}
        said = json.loads(parts["ensemble.json"])
        kinds = said["members"]
        if not kinds:
            raise NotFitted("The ensemble has no members.")
        if len(set(kinds)) < len(kinds):
            raise ValueError("A member of the ensemble is named twice.")
        members = (classes[kind].from_parts(_of(kind, parts)) for kind in kinds)
        return cls(*members, weights=said.get("weights"))


def _of(kind: str, parts: dict[str, bytes]) -> dict[str, bytes]:
    return {name.partition("/")[2]: content for name, content in parts.items() if name.startswith(f"{kind}/")}
