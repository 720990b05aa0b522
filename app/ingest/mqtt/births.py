"""What Sparkplug nodes said of themselves: names, types and units of their metrics; how far we have heard. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.ingest.mqtt.sparkplug_wire import Metric

SEQUENCE_LENGTH = 256
# Of all nodes together; a plant of 10,000 machines with 50 metrics each fits. More is a sender run wild.
MOST_DEFINITIONS = 500_000


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric as its birth described it."""

    name: str
    datatype: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class Born:
    """What a birth said of a device's metrics."""

    names: dict[str, Definition]
    aliases: dict[int, Definition]


@dataclass
class Node:
    """An edge node. `devices` has what each said of itself, the node under ""; `definitions` is how many in all.

    It is in step while every message since its birth was heard. Out of step an alias may have come to stand for
    something else, so it means nothing until the next birth; a name means the same.
    """

    devices: dict[str, Born] = field(default_factory=dict)
    definitions: int = 0
    next_seq: int | None = None
    birth_seq: int | None = None
    is_in_step: bool = False
    asked_at: float | None = None

    def is_born(self, device: str) -> bool:
        return device in self.devices

    def follows(self, seq: int | None, *, is_repeated: bool) -> bool:
        """Whether `seq` is the next message of the node; a message delivered again does not count."""
        if seq is None:
            return True
        fits = seq == self.next_seq
        if fits or not is_repeated:
            self.next_seq = (seq + 1) % SEQUENCE_LENGTH
        return fits or is_repeated

    def bear(self, seq: int | None, metrics: Iterable[Metric]) -> None:
        """The node's own birth: everything known of it and its devices before is void."""
        self.die()
        self.next_seq = None if seq is None else (seq + 1) % SEQUENCE_LENGTH
        self.is_in_step = True
        self.asked_at = None
        self.define("", metrics)
        births = (metric.value for metric in metrics if metric.name == "bdSeq")
        self.birth_seq = next((int(value) for value in births if isinstance(value, int)), None)

    def define(self, device: str, metrics: Iterable[Metric]) -> None:
        self.bury(device)
        born = self.devices[device] = Born({}, {})
        for metric in metrics:
            born.names[metric.name] = definition = Definition(metric.name, metric.datatype, metric.unit)
            if metric.alias is not None:
                born.aliases[metric.alias] = definition
        self.definitions += len(born.names)

    def bury(self, device: str) -> None:
        """A death: what comes next needs a birth before it."""
        if gone := self.devices.pop(device, None):
            self.definitions -= len(gone.names)

    def die(self) -> None:
        self.devices, self.definitions = {}, 0
        self.next_seq, self.birth_seq, self.is_in_step = None, None, False

    def lose_step(self) -> None:
        """The connection broke: what was sent meanwhile, a birth perhaps, was not heard."""
        self.is_in_step, self.asked_at = False, None

    def definition_of(self, device: str, metric: Metric) -> Definition | None:
        """What is known of a metric of a data message; None where it leans on a birth that was not heard."""
        born = self.devices.get(device)
        if metric.name:
            known = born.names.get(metric.name) if born else None
            if known is None and metric.datatype is None and not isinstance(metric.value, float | bool | str):
                return None
            return known or Definition(metric.name, metric.datatype, metric.unit)
        if born is None or metric.alias is None or not self.is_in_step:
            return None
        return born.aliases.get(metric.alias)
