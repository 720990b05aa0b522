"""How far a predicted risk may move had the model learnt from other machines: the band around a curve.

Delete-group jackknife (Quenouille 1949): the models that each left out a fold of the machines answer for rows none
of them saw; the variance is (D - 1) / D x the sum of squares around their mean, on the log-odds scale. It is
averaged by level of risk, so a new machine's band costs no further model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.models.base import Floats
from ml.models.odds import from_log_odds, log_odds

# Levels of risk between which the spread is interpolated: 0.1 %, 1 %, 5 %, 20 %, 50 %, 80 %.
LEVELS = np.array([-6.9, -4.6, -2.9, -1.4, 0.0, 1.4])
NORMAL_90 = 1.645
# Fewer rows at a level borrow from the neighbours.
FEWEST_ROWS = 20.0
BAND_IS = (
    "90 % band: how far the risk moves when the model learns from other machines. It is the uncertainty of the"
    " model, not of what chance will do to the machine."
)


@dataclass(frozen=True)
class Spread:
    """[K, LEVELS] standard deviations of the log-odds of the cumulative risk."""

    deviations: Floats

    @classmethod
    def learn(cls, risks: Floats) -> Spread | None:
        """From [D, n, K] risks of models that left out different machines; None where too little can be said."""
        if len(risks) < 2 or risks.shape[1] < FEWEST_ROWS:
            return None
        scores = log_odds(risks)
        middle = scores.mean(axis=0)
        variance = ((scores - middle) ** 2).sum(axis=0) * (len(risks) - 1) / len(risks)
        return cls(np.sqrt(np.stack([_by_level(middle[:, k], variance[:, k]) for k in range(risks.shape[2])])))

    def band(self, risk: Floats) -> tuple[Floats, Floats]:
        """[n, K] low and high around risks [n, K]; both rise with the horizon, as risk does."""
        middle = log_odds(risk)
        rows = range(risk.shape[1])
        reach = NORMAL_90 * np.stack([np.interp(middle[:, k], LEVELS, self.deviations[k]) for k in rows], axis=1)
        low = np.maximum.accumulate(from_log_odds(middle - reach), axis=1)
        high = np.maximum.accumulate(from_log_odds(middle + reach), axis=1)
        return np.minimum(low, risk), np.maximum(high, risk)

    def to_json(self) -> list[Any]:
        said: list[Any] = self.deviations.tolist()
        return said


def _by_level(scores: Floats, variance: Floats) -> Floats:
    """[LEVELS] mean variance of the rows near each level, each row shared between its two neighbours."""
    place = np.interp(scores, LEVELS, np.arange(len(LEVELS)))
    near = np.clip(1 - np.abs(place[:, None] - np.arange(len(LEVELS))), 0, 1)
    mean = float(variance.mean())
    return np.asarray((near.T @ variance + FEWEST_ROWS * mean) / (near.sum(axis=0) + FEWEST_ROWS))
