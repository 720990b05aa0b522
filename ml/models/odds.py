"""Log-odds of hazards: the scale on which models are mixed and calibrated, modes keeping their shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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


def mix(members: Sequence[Floats], weights: npt.ArrayLike | None = None) -> Floats:
    """Weighted mean on the log-odds scale of the totals, and of the modes' shares.

    weights: one a member, or [K, members] for each interval; equal ones without any.
    """
    given = np.ones(len(members)) if weights is None else np.asarray(weights, float)
    each = np.moveaxis(np.broadcast_to(given, (members[0].shape[1], len(members))), 1, 0)[:, None, :]
    each = each / each.sum(axis=0)
    total = from_log_odds((each * np.stack([log_odds(h.sum(axis=2)) for h in members])).sum(axis=0))
    shares = (each[..., None] * np.stack([with_total(h, np.ones(h.shape[:2])) for h in members])).sum(axis=0)
    return with_total(shares, total)
