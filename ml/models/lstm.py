"""Recurrent network over the blocks, window statistics beside them; masked likelihood over the intervals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ml.features.history import Features
from ml.models.arrays import from_npz, to_npz
from ml.models.base import Floats, NotFitted, Outcomes, Progress, silent
from ml.models.columns import Matrix, matrix, sequence
from ml.models.odds import mix
from ml.models.scaling import Scaling

if TYPE_CHECKING:
    import keras

# Two networks of other seeds, each stopped by other machines, are steadier than one larger.
MEMBERS = 2
UNITS, DENSE = 24, 64
EPOCHS, PATIENCE = 30, 4
# Epochs when no machine can be spared to say when to stop.
EPOCHS_UNJUDGED = 10
HELD_OUT = 0.15
FEWEST_MACHINES = 5


class Lstm:
    kind: ClassVar[str] = "lstm"

    def __init__(
        self, members: int = MEMBERS, epochs: int = EPOCHS, units: int = UNITS, dense: int = DENSE
    ) -> None:
        self.members, self.epochs, self.units, self.dense = members, epochs, units, dense
        self._names: tuple[str, ...] = ()
        self._channels: tuple[str, ...] = ()
        self._static = Scaling()
        self._blocks = Scaling()
        self._networks: list[keras.Model] = []

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        self._names, self._channels = tuple(sorted(features.names)), tuple(sorted(features.channels))
        values, blocks = matrix(features, self._names), sequence(features, self._channels)
        self._static = Scaling.learn(values)
        self._blocks = Scaling.learn(blocks.reshape(-1, blocks.shape[2]))
        weights = class_weights(outcomes)
        inputs = self._inputs(features)
        self._networks = []
        for member in range(self.members):
            held_out = spared_machines(features.moments.machine, outcomes, np.random.default_rng([seed, member]))
            self._networks.append(self._train(inputs, weights, held_out, seed + member, member, progress))
        return self

    def _train(
        self,
        inputs: tuple[Matrix, Matrix],
        weights: Matrix,
        held_out: Matrix,
        seed: int,
        member: int,
        progress: Progress,
    ) -> keras.Model:
        net = _network()
        epochs = self.epochs if held_out.any() else min(EPOCHS_UNJUDGED, self.epochs)

        def after_epoch(done: int) -> None:
            progress((member + done / epochs) / self.members, f"network {member + 1}, epoch {done} of {epochs}")

        net.prepare(seed)
        rates = base_rates(weights)
        network = net.build(*inputs[0].shape[1:], inputs[1].shape[1], rates, self.units, self.dense)
        return net.train(network, inputs, weights, held_out, epochs, PATIENCE, after_epoch)

    def _inputs(self, features: Features) -> tuple[Matrix, Matrix]:
        blocks = sequence(features, self._channels)
        n, steps, channels = blocks.shape
        scaled = self._blocks.apply(blocks.reshape(-1, channels))
        return scaled.reshape(n, steps, scaled.shape[1]), self._static.apply(matrix(features, self._names))

    def hazards(self, features: Features) -> Floats:
        if not self._networks:
            raise NotFitted("The network was not fitted.")
        inputs = self._inputs(features)
        return mix([_network().probabilities(each, inputs)[:, :, 1:] for each in self._networks])

    def parts(self) -> dict[str, bytes]:
        if not self._networks:
            raise NotFitted("The network was not fitted.")
        settings = {"names": self._names, "channels": self._channels, "members": self.members}
        settings |= {"epochs": self.epochs, "units": self.units, "dense": self.dense}
        scaling = to_npz(self._static.arrays("static") | self._blocks.arrays("blocks"))
        networks = {f"network-{k}.keras": _network().to_bytes(each) for k, each in enumerate(self._networks)}
        return {"lstm.json": json.dumps(settings).encode(), "scaling.npz": scaling, **networks}

    def parameters(self) -> dict[str, float | str]:
        sizes = {"members": self.members, "epochs": self.epochs, "units": self.units, "dense": self.dense}
        return {**sizes, "patience": PATIENCE, "held_out": HELD_OUT}

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        settings = json.loads(parts["lstm.json"])
        model = cls(settings["members"], settings["epochs"], settings["units"], settings["dense"])
        model._names, model._channels = tuple(settings["names"]), tuple(settings["channels"])
        arrays = from_npz(parts["scaling.npz"])
        model._static = Scaling.from_arrays(arrays, "static")
        model._blocks = Scaling.from_arrays(arrays, "blocks")
        model._networks = [
            _network().from_bytes(parts[f"network-{member}.keras"]) for member in range(model.members)
        ]
        return model


def _network() -> Any:
    """TensorFlow takes seconds and 400 MB to import: only those who use a network pay for it."""
    from ml.models import network

    return network


def class_weights(outcomes: Outcomes) -> Matrix:
    """[n, K, 1 + M] by exposure, weight of each row for surviving an interval (0) or failing in it by a mode."""
    k = np.arange(len(outcomes.horizons_hours))
    failed_here = outcomes.interval[:, None] == k
    number = np.where(failed_here, 1 + outcomes.mode[:, None].clip(0), 0)
    one_hot = number[:, :, None] == np.arange(1 + len(outcomes.modes))
    weight = outcomes.weight / max(outcomes.weight.mean(), 1e-12)
    return np.asarray(one_hot * outcomes.exposure[:, :, None] * weight[:, None, None], np.float32)


def base_rates(weights: Matrix) -> Floats:
    """[K, 1 + M] share of each class in each interval, never quite 0."""
    totals = weights.sum(axis=0, dtype=np.float64) + 1e-3
    return np.asarray(totals / totals.sum(axis=1, keepdims=True))


def spared_machines(machine: np.ndarray[Any, Any], outcomes: Outcomes, random: np.random.Generator) -> Matrix:
    """[n] 1 for the rows of whole machines that hold the wanted share of the failures, 0 for the others."""
    order = random.permutation(np.unique(machine))
    spared = np.zeros(len(machine), np.float32)
    if len(order) < FEWEST_MACHINES:
        return spared
    failures = {
        each: len(np.unique(outcomes.failure[(machine == each) & (outcomes.failure >= 0)])) for each in order
    }
    wanted = max(HELD_OUT * sum(failures.values()), 1)
    enough = np.searchsorted(np.cumsum([failures[each] for each in order]), wanted) + 1
    spared[np.isin(machine, order[: min(int(enough), len(order) // 2)])] = 1
    return spared
