"""Whether machines and predictions still look like what a model learnt from, and how sure that is.

The sample is machines, not moments: neighbouring moments of a machine are nearly the same moment. A value has moved
when the population stability index passes the usual 0.25 and, since with few machines it does so by chance, the
two-sample test of Kolmogorov and Smirnov agrees, its level shared out over everything that is compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.features.catalogue import COUNTER, WINDOWS
from ml.features.history import Features, Ints
from ml.models.base import Floats

# The usual bound of "a major shift" (Siddiqi 2006).
MOVED = 0.25
# How often a report may say that something moved though nothing did.
CHANCE = 0.05
# With fewer neither test can say anything.
FEWEST_MACHINES = 10
# Of the machines lack a channel that they used to have, or stand outside all that was learnt from.
MANY = 0.2
POINTS = np.linspace(0, 1, 41)
BINS = 10


@dataclass(frozen=True)
class Distribution:
    """[POINTS] quantiles of a value over what was learnt from, the share of moments without it, and of how many
    machines that was."""

    quantiles: Floats
    unknown: float
    machines: int

    @classmethod
    def of(cls, values: Floats, weight: Floats, machine: Ints) -> Distribution:
        known = np.isfinite(values)
        order = np.argsort(values[known], kind="stable")
        ranked, heavy = values[known][order], weight[known][order]
        place = (np.cumsum(heavy) - heavy / 2) / max(heavy.sum(), 1e-300)
        quantiles = np.interp(POINTS, place, ranked) if len(ranked) else np.full(len(POINTS), np.nan)
        unknown = 1 - weight[known].sum() / max(weight.sum(), 1e-300)
        return cls(quantiles, float(unknown), len(np.unique(machine[known])))

    @property
    def mean(self) -> float:
        return float(((self.quantiles[1:] + self.quantiles[:-1]) / 2).mean())

    def below(self, values: Floats) -> Floats:
        """Share of it at or below each value; of equal quantiles the last counts."""
        at = np.searchsorted(self.quantiles, values, side="right")
        low, high = self.quantiles[(at - 1).clip(0)], self.quantiles[at.clip(max=len(POINTS) - 1)]
        part = np.divide(values - low, high - low, out=np.zeros(len(values)), where=high > low)
        inside = POINTS[(at - 1).clip(0)] + part / (len(POINTS) - 1)
        return np.asarray(np.where(at == 0, 0.0, np.where(at >= len(POINTS), 1.0, inside)))


@dataclass(frozen=True)
class Reference:
    """What a model learnt from: each channel's mean over the longest window, and the risk within each horizon that
    was told of machines left out."""

    channels: Mapping[str, Distribution]
    risks: tuple[Distribution, ...]

    @classmethod
    def learn(cls, features: Features, risk: Floats, weight: Floats) -> Reference:
        """`features` and cumulative `risk` [n, K] of the rows learnt from."""
        machine = features.moments.machine
        levels = levels_of(features)
        return cls(
            {channel: Distribution.of(values, weight, machine) for channel, values in levels.items()},
            tuple(Distribution.of(risk[:, k], weight, machine) for k in range(risk.shape[1])),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "channels": {name: _said(each) for name, each in self.channels.items()},
            "risks": [_said(each) for each in self.risks],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Reference:
        return cls(
            {name: _heard(each) for name, each in said["channels"].items()}, tuple(map(_heard, said["risks"]))
        )


@dataclass(frozen=True)
class Comparison:
    """One value then and now: 10th, 50th and 90th percentile of both, None where nobody had it.

    ratio: mean now against mean then. psi: population stability index; moved: by more than chance of so many
    machines explains.
    unknown: share of machines without it now; outside: share beyond all that was learnt from.
    """

    then: tuple[float, float, float] | None
    now: tuple[float, float, float] | None
    machines: int
    ratio: float | None
    psi: float | None
    moved: bool
    unknown: float
    gone: bool
    outside: float


@dataclass(frozen=True)
class Drift:
    """`risks` in the order of the horizons."""

    channels: dict[str, Comparison]
    risks: tuple[Comparison, ...]

    @property
    def moved(self) -> list[str]:
        return [name for name, each in self.channels.items() if each.moved or each.gone or each.outside > MANY]


def levels_of(features: Features) -> dict[str, Floats]:
    """Channel -> its mean over the longest window; a counter's is its age and moves by itself."""
    ending = f".mean.{WINDOWS[-1]}"
    return {
        name.removesuffix(ending): features.values[:, place].astype(np.float64)
        for place, name in enumerate(features.names)
        if name.endswith(ending) and name != f"{COUNTER}{ending}"
    }


def compare(reference: Reference, features: Features, risk: Floats) -> Drift:
    """`features` and `risk` [n, K] of each machine once, now; NaN where nothing can be said."""
    level = CHANCE / max(len(reference.channels) + len(reference.risks), 1)
    levels = levels_of(features)
    nobody = np.full(len(features), np.nan)
    return Drift(
        {name: _compared(each, levels.get(name, nobody), level) for name, each in reference.channels.items()},
        tuple(_compared(each, risk[:, k], level) for k, each in enumerate(reference.risks)),
    )


def _compared(then: Distribution, values: Floats, level: float) -> Comparison:
    known = np.sort(values[np.isfinite(values)])
    n, unknown = len(known), 1 - len(known) / max(len(values), 1)
    enough = min(n, then.machines) >= FEWEST_MACHINES
    psi = stability(then, known) if n and then.machines else None
    far = enough and farthest(then, known) > by_chance(n, then.machines, level)
    low, high = then.quantiles[0], then.quantiles[-1]
    return Comparison(
        _range(then.quantiles) if then.machines else None,
        _range(known) if n else None,
        n,
        float(known.mean() / then.mean) if n and then.machines and then.mean else None,
        psi,
        bool(far and psi is not None and psi >= MOVED),
        float(unknown),
        bool(len(values) >= FEWEST_MACHINES and unknown - then.unknown > MANY),
        float(((known < low) | (known > high)).mean()) if enough else 0.0,
    )


def stability(then: Distribution, known: Floats) -> float:
    """Population stability index over ten bins that were equally full, half a machine added to each."""
    edges = np.unique(np.quantile(then.quantiles, np.linspace(0, 1, BINS + 1)[1:-1]))
    expected = np.diff(np.concatenate([[0.0], then.below(edges), [1.0]])).clip(0)
    bins = len(expected)
    found = np.bincount(np.searchsorted(edges, known, side="left"), minlength=bins)
    p = (found + 0.5) / (len(known) + 0.5 * bins)
    q = (expected * then.machines + 0.5) / (then.machines + 0.5 * bins)
    return float(((p - q) * np.log(p / q)).sum())


def farthest(then: Distribution, known: Floats) -> float:
    """Largest distance of the two cumulative shares; `known` is sorted."""
    at = np.concatenate([known, then.quantiles])
    return float(np.abs(np.searchsorted(known, at, side="right") / len(known) - then.below(at)).max())


def by_chance(n: int, m: int, level: float) -> float:
    """The distance that two samples of one distribution pass with this probability (Smirnov 1939)."""
    return float(np.sqrt(-np.log(level / 2) / 2 * (n + m) / (n * m)))


def _range(values: Floats) -> tuple[float, float, float]:
    low, middle, high = (float(each) for each in np.quantile(values, [0.1, 0.5, 0.9]))
    return low, middle, high


def _said(each: Distribution) -> dict[str, Any]:
    known = np.isfinite(each.quantiles).all()
    return {
        "quantiles": each.quantiles.tolist() if known else None,
        "unknown": each.unknown,
        "machines": each.machines,
    }


def _heard(said: Mapping[str, Any]) -> Distribution:
    quantiles = said["quantiles"]
    values = np.full(len(POINTS), np.nan) if quantiles is None else np.asarray(quantiles, float)
    return Distribution(values, said["unknown"], said["machines"])
