"""The contract of every model: cause-specific hazards per interval between horizons, from the same features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from ml.features.history import Features

Floats = npt.NDArray[np.float64]

# Called with a share between 0 and 1 and a word on what is being done.
Progress = Callable[[float, str], None]


def silent(share: float, doing: str) -> None:
    """A Progress for those who do not look."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """A Progress whose 0 to 1 is `start` to `end` of the whole."""
    return lambda share, doing: progress(start + (end - start) * share, doing)


def side_by_side(progress: Progress, parts: int) -> list[Progress]:
    """As many, each to be told from a thread of its own; the whole is their mean."""
    shares, one_at_a_time = [0.0] * parts, Lock()

    def part(number: int) -> Progress:
        def told(share: float, doing: str) -> None:
            with one_at_a_time:
                shares[number] = share
                progress(sum(shares) / parts, doing)

        return told

    return [part(number) for number in range(parts)]


@dataclass(frozen=True)
class Outcomes:
    """What became of each moment; K intervals between horizons [0, h1), [h1, h2) ..., M failure modes.

    interval: [n] interval the failure fell into, K where none was observed within the longest horizon.
    exposure: [n, K] share of the interval that was seen: 1 to its end or with the failure in it, 0 where it was not
        reached alive. What is learnt of an interval weighs so much (the actuary's exposure).
    mode: [n] position in `modes`, -1 without failure.
    failure: [n] which distinct failure (row in the events) it is, -1 without; figures are counted by failures.
    hours_to_failure: [n] NaN where unknown; hours_observed: [n] until failure, censoring or the end of data.
    weight: [n] how many moments this one stands for, since event-free ones are thinned out.
    """

    horizons_hours: tuple[float, ...]
    modes: tuple[str, ...]
    interval: npt.NDArray[np.int64]
    exposure: Floats
    mode: npt.NDArray[np.int64]
    failure: npt.NDArray[np.int64]
    hours_to_failure: Floats
    hours_observed: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.interval)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Outcomes:
        return Outcomes(
            self.horizons_hours,
            self.modes,
            self.interval[rows],
            self.exposure[rows],
            self.mode[rows],
            self.failure[rows],
            self.hours_to_failure[rows],
            self.hours_observed[rows],
            self.weight[rows],
        )

    def within(self, horizons: int) -> Outcomes:
        """As told of so many horizons, the shortest ones: whoever failed later had not failed."""
        later = self.interval >= horizons
        return Outcomes(
            self.horizons_hours[:horizons],
            self.modes,
            np.minimum(self.interval, horizons),
            self.exposure[:, :horizons],
            np.where(later, -1, self.mode),
            np.where(later, -1, self.failure),
            np.where(later, np.nan, self.hours_to_failure),
            self.hours_observed,
            self.weight,
        )

    def survived(self, k: int) -> npt.NDArray[np.bool_]:
        """[n] seen alive to the end of interval k."""
        return np.asarray((self.interval > k) & (self.exposure[:, k] == 1))

    def at_risk(self, k: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """The rows that saw any of interval k, and how many moments each stands for there."""
        rows = np.flatnonzero(self.exposure[:, k])
        return rows, self.weight[rows] * self.exposure[rows, k]


class HazardModel(Protocol):
    """fit() returns self and leaves its input as it was; a seed repeats; unfitted use raises NotFitted."""

    kind: ClassVar[str]

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self: ...

    def hazards(self, features: Features) -> Floats:
        """[n, K, M] probability of failing by each mode in each interval, given survival up to it."""
        ...

    def parts(self) -> dict[str, bytes]:
        """Everything learnt, in formats that cannot run code (JSON, npz without objects, skops, .keras)."""
        ...

    def parameters(self) -> dict[str, float | str]:
        """What was set before learning, for the experiment record."""
        ...

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self: ...


class NotFitted(RuntimeError):
    """A model was asked before it was fitted."""


def cumulative_risk(hazards: Floats) -> Floats:
    """[n, K] P(fail before the end of interval k) = 1 - prod over j <= k of (1 - sum over modes of hazard)."""
    return 1 - np.cumprod(1 - hazards.sum(axis=2).clip(0, 1), axis=1)


def risk_by_mode(hazards: Floats) -> Floats:
    """[n, K, M] cumulative incidence: of failing by mode m before the end of k, other modes competing."""
    survival = 1 - cumulative_risk(hazards)
    reached = np.concatenate([np.ones((len(hazards), 1)), survival[:, :-1]], axis=1)
    return np.cumsum(hazards * reached[:, :, None], axis=1)
