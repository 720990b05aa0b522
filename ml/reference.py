"""A sample of what a model learnt from, kept with it: what it is asked about later is held against this.

A block is one machine in one stretch of time as long as the longest window of the features, seen at a few moments.
Neighbouring moments of a machine are nearly the same moment, so blocks count, not rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.endings import Flags
from ml.features.catalogue import COUNTER, DAY, LONG, WINDOWS
from ml.features.history import Features, Floats, History, Ints, Moments
from ml.models.kept import Kept

# How long a block is, and how far a report looks back: a week when the bucket is an hour.
BLOCK_BUCKETS = WINDOWS[-1]
MOMENTS = 4
# A few hundred KiB; of a larger fleet fewer stretches are kept, never fewer machines.
MOST_BLOCKS, FEWEST_STRETCHES = 2_000, 4
LEVEL, OWN_LEVEL = f".mean.{DAY}", f".baseline_deviations.{LONG}"

Singles = npt.NDArray[np.float32]
Words = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Blocks:
    """machine [n]: its key. values [n, MOMENTS, columns] and risk [n, MOMENTS, horizons]: NaN where unknown."""

    machine: Words
    values: Singles
    risk: Singles

    def __len__(self) -> int:
        return len(self.machine)

    @property
    def seen(self) -> Singles:
        """[n, MOMENTS, columns + horizons]"""
        return np.concatenate([self.values, self.risk], axis=2)

    def take(self, rows: Flags) -> Blocks:
        return Blocks(self.machine[rows], self.values[rows], self.risk[rows])


@dataclass(frozen=True)
class Reference(Kept):
    """Columns are the levels of `channels`, then how far each is above the machine's own baseline, in deviations.

    stretch [n]: its number, counted back from the newest. The others are as in Blocks.
    """

    PART: ClassVar[str] = "reference.npz"

    channels: Words
    machine: Words
    stretch: Ints
    values: Singles
    risk: Singles

    @classmethod
    def learn(cls, history: History, features: Features, weight: Floats, risk: Floats) -> Self:
        """From rows learnt from: how many moments each stands for, and the risk [n, K] that models told which had
        not seen them: in-sample risks are sharper."""
        channels = channels_of(features.names)
        values = values_of(features, channels)
        rows, machine, stretch = spread(features.moments, weight, BLOCK_BUCKETS * history.bucket_seconds)
        kept = _kept(machine, stretch)
        return cls(
            channels,
            keys_of(history)[machine[kept]],
            stretch[kept],
            values[rows[kept]],
            risk[rows[kept]].astype(np.float32),
        )

    @property
    def blocks(self) -> Blocks:
        return Blocks(self.machine, self.values, self.risk)

    def check(self) -> None:
        n, channels = len(self.stretch), len(self.channels)
        shapes = {
            "machine": (n,),
            "stretch": (n,),
            "values": (n, MOMENTS, 2 * channels),
            "risk": (n, MOMENTS, self.risk.shape[-1]),
        }
        if any(getattr(self, name).shape != shape for name, shape in shapes.items()):
            raise ValueError("the sample of what it learnt from does not fit together")
        if any(np.isinf(each).any() for each in (self.values, self.risk)):
            raise ValueError("the sample of what it learnt from holds what was never measured")


def recent_blocks(history: History, features: Features, risk: Floats, channels: Words) -> Blocks:
    """One block a machine; features and risks are of MOMENTS moments of each, one machine after the other."""
    machine = features.moments.machine[::MOMENTS]
    return Blocks(
        keys_of(history)[machine],
        values_of(features, channels).reshape(len(machine), MOMENTS, 2 * len(channels)),
        risk.astype(np.float32).reshape(len(machine), MOMENTS, risk.shape[1]),
    )


def spread(moments: Moments, weight: Floats, seconds: int) -> tuple[Ints, Ints, Ints]:
    """(rows [n, MOMENTS] spread by weight over each block, machine [n], stretch [n]); fewer rows are repeated."""
    stretch = (moments.as_of.max(initial=0) - moments.as_of) // seconds
    order = np.lexsort((moments.as_of, -stretch, moments.machine))
    of, number = moments.machine[order], stretch[order]
    first = np.flatnonzero(np.append(True, (np.diff(of) != 0) | (np.diff(number) != 0))[: len(order)])
    passed = np.append(0.0, np.cumsum(weight[order]))
    ends = np.append(first[1:], len(order))
    share = (np.arange(MOMENTS) + 0.5) / MOMENTS
    wanted = passed[first, None] + share * (passed[ends] - passed[first])[:, None]
    place = np.searchsorted(passed, wanted, side="right") - 1
    return order[place.clip(first[:, None], ends[:, None] - 1)], of[first], number[first]


def channels_of(names: Sequence[str]) -> Words:
    """Of each channel its level and how far that is above its baseline are sampled; a counter grows by itself."""
    found = [name.removesuffix(LEVEL) for name in names if name.endswith(LEVEL)]
    return np.array([name for name in found if name != COUNTER and f"{name}{OWN_LEVEL}" in names], np.str_)


def columns_of(channels: Words) -> list[str]:
    return [f"{name}{ending}" for ending in (LEVEL, OWN_LEVEL) for name in channels.tolist()]


def values_of(features: Features, channels: Words) -> Singles:
    """[n, columns] with NaN for everything that is not a finite number."""
    place = {name: number for number, name in enumerate(features.names)}
    values = features.values[:, [place[name] for name in columns_of(channels)]]
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def keys_of(history: History) -> Words:
    return history.machines["key"].to_numpy().astype(np.str_)


def _kept(machine: Ints, stretch: Ints) -> Flags:
    """Stretches spread evenly over the time, the same for all machines, so that whole weeks can be compared.

    In a machine's first stretch it has no baseline yet; it is left out where there is another.
    """
    named, place = np.unique(machine, return_inverse=True)
    first = np.zeros(len(named), np.int64)
    np.maximum.at(first, place, stretch)
    later = stretch < first[place]
    later |= np.bincount(place, later)[place] == 0
    numbers = np.unique(stretch[later])
    most = max(MOST_BLOCKS // max(len(named), 1), FEWEST_STRETCHES)
    chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(int))]
    return np.asarray(later & np.isin(stretch, chosen))
