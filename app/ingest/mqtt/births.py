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


@dataclass
class Node:
    """An edge node. `devices` has the metrics of each by name, the node's own under ""; `aliases` those of all."""

    aliases: dict[int, Definition] = field(default_factory=dict)
    devices: dict[str, dict[str, Definition]] = field(default_factory=dict)
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
        names: dict[str, Definition] = {}
        for metric in metrics:
            names[metric.name] = definition = Definition(metric.name, metric.datatype, metric.unit)
            if metric.alias is not None:
                self.aliases[metric.alias] = definition
        self.devices[device] = names

    def bury(self, device: str) -> None:
        """A death: what comes next needs a birth before it."""
        gone = set(map(id, self.devices.pop(device, {}).values()))
        self.aliases = {alias: known for alias, known in self.aliases.items() if id(known) not in gone}

    def die(self) -> None:
        self.aliases, self.devices = {}, {}
        self.next_seq, self.birth_seq, self.is_in_step = None, None, False

    def definition_of(self, device: str, metric: Metric) -> Definition | None:
        """What is known of a metric of a data message; None where it leans on a birth that was not heard."""
        if metric.name:
            known = self.devices.get(device, {}).get(metric.name)
            if known is None and metric.datatype is None and not isinstance(metric.value, float | bool | str):
                return None
            return known or Definition(metric.name, metric.datatype, metric.unit)
        return self.aliases.get(metric.alias) if metric.alias is not None else None

    def __len__(self) -> int:
        return sum(map(len, self.devices.values()))
