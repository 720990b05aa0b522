"""Log-odds of hazards: the scale on which models are mixed and calibrated, modes keeping their shares."""

from __future__ import annotations

import numpy as np

from ml.models.base import Floats

# Nobody knows a hazard better than to one in a hundred thousand; it also keeps the log-odds finite.
SMALLEST = 1e-5


def log_odds(probability: Floats) -> Floats:
    p = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(p / (1 - p)))


def from_log_odds(scores: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -50, 50))))


def with_total(hazards: Floats, total: Floats) -> Floats:
    """The same shares of the modes, scaled to another total [n, K]; equal shares where there was no hazard."""
    before = hazards.sum(axis=2, keepdims=True)
    even = np.full_like(hazards, 1 / hazards.shape[2])
    shares = np.divide(hazards, before, out=even, where=before > 0)
    return np.asarray(shares * total[:, :, None])


def mix(members: list[Floats]) -> Floats:
    """Mean on the log-odds scale of the totals, mean of the modes' shares."""
    total = from_log_odds(np.mean([log_odds(h.sum(axis=2)) for h in members], axis=0))
    shares = np.mean([with_total(h, np.ones(h.shape[:2])) for h in members], axis=0)
    return with_total(shares, total)
