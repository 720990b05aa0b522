"""Shares of small numbers, said no more surely than they are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Two-sided 90 %, as on the cards.
Z = 1.645
# Of fewer a share is told as `3 of 4`: its interval would span half of all there is.
FEWEST_FOR_A_RATE = 10


@dataclass(frozen=True)
class Share:
    """`count` of `of`; without a rate and its interval where `of` is small."""

    count: int
    of: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None


def share(count: int, of: int) -> Share:
    """With Wilson's score interval (Wilson 1927), which stays within 0 and 1 and holds at 0 of n and n of n."""
    if of < FEWEST_FOR_A_RATE:
        return Share(count, of)
    rate, square = count / of, Z * Z / of
    centre = (rate + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(rate * (1 - rate) / of + square / (4 * of))
    return Share(count, of, rate, max(centre - half, 0.0), min(centre + half, 1.0))
