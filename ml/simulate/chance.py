"""Where the fleet draws from: one stream of chance for all, or one for the world and one for each machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.features.history import Floats


@dataclass(frozen=True)
class Chance:
    """`world`: weather, load, sensors, shocks: as many draws a step, whatever was decided.

    With `fates` each machine has a stream of its own for wear, repairs and new parts: what is done to one machine
    changes the life of no other, so that policies can be compared on the same lives.
    """

    world: np.random.Generator
    fates: tuple[np.random.Generator, ...] = ()

    @classmethod
    def together(cls, seed: int) -> Chance:
        return cls(np.random.default_rng([seed, 2]))

    @classmethod
    def apart(cls, seed: int, machines: int) -> Chance:
        fates = (np.random.default_rng([seed, 3, machine]) for machine in range(machines))
        return cls(np.random.default_rng([seed, 2]), tuple(fates))

    def of(self, machine: int) -> np.random.Generator:
        return self.fates[machine] if self.fates else self.world

    def gamma(self, shape: Floats, scale: float) -> Floats:
        """`shape` [machines, ...]."""
        if not self.fates:
            return self.world.gamma(shape, scale)
        return np.stack([fate.gamma(own, scale) for fate, own in zip(self.fates, shape, strict=True)])

    def to_json(self) -> list[dict[str, Any]]:
        return [dict(each.bit_generator.state) for each in (self.world, *self.fates)]

    @classmethod
    def from_json(cls, said: Sequence[dict[str, Any]]) -> Chance:
        streams = [np.random.default_rng() for _ in said]
        for stream, state in zip(streams, said, strict=True):
            stream.bit_generator.state = state
        return cls(streams[0], tuple(streams[1:]))
