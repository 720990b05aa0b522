"""Sparkplug B's story: births define, data leans on them, a gap asks for a rebirth, deaths end. Pure.

Data whose birth was not heard, or that comes after a gap, is held while the node is asked for a rebirth: for
seconds and in a bounded number. So a restarted bridge neither loses nor guesses what an alias stood for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.ingest.decode import Decoded
from app.ingest.mapping import NameMapping
from app.ingest.mqtt.births import MOST_DEFINITIONS, Node
from app.ingest.mqtt.metrics_read import Origin, read_metrics
from app.ingest.mqtt.rows import Rows
from app.ingest.mqtt.sparkplug_wire import BOOLEAN, Payload, decode_payload, encode_payload
from app.ingest.mqtt.topics import SPARKPLUG

KINDS = ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH")
# A node answers within a second or two; what it does not answer is then read by names, and aliases are refused.
HOLD_SECONDS = 5.0
# Nodes whose numbers never fit would otherwise be born anew all the time.
SECONDS_BETWEEN_REBIRTHS = 30.0
MOST_NODES = 20_000
MOST_HELD = 500
MOST_HELD_BYTES = 16 << 20


@dataclass(frozen=True)
class Sent:
    """A message as the broker gave it; `ticket` comes back with what was read of it."""

    topic: str
    body: bytes
    is_repeated: bool
    ticket: Any


@dataclass(frozen=True)
class Read:
    """What became of a message."""

    ticket: Any
    decoded: Decoded


@dataclass(frozen=True)
class Held:
    sent: Sent
    origin: Origin
    payload: Payload
    since: float


@dataclass
class Sparkplug:
    """All nodes of one broker. `rebirths` are the requests to publish, as topic and body."""

    mapping: NameMapping
    machine_template: str
    nodes: dict[tuple[str, str], Node] = field(default_factory=dict)
    held: deque[Held] = field(default_factory=deque)
    held_bytes: int = 0
    definitions: int = 0
    rebirths: list[tuple[str, bytes]] = field(default_factory=list)

    def hear(self, sent: Sent, now: float) -> list[Read]:
        """What can be read now: this message unless it is held, and those that waited for it."""
        levels = sent.topic.split("/")
        is_known = levels[0] == SPARKPLUG and len(levels) in (4, 5) and levels[2] in KINDS
        if not is_known or (levels[2][0] == "D") != (len(levels) == 5):
            return [self._refused(sent, "the topic is not one of Sparkplug B's")]
        payload = decode_payload(sent.body)
        if isinstance(payload, str):
            return [self._refused(sent, payload)]
        origin = Origin(levels[1], levels[3], levels[4] if len(levels) == 5 else "")
        if (origin.group, origin.node) not in self.nodes and len(self.nodes) >= MOST_NODES:
            return [self._refused(sent, f"this broker has more than {MOST_NODES:,} nodes")]
        node = self.nodes.setdefault((origin.group, origin.node), Node())
        if levels[2].endswith("BIRTH"):
            return self._birth(sent, origin, node, payload, now)
        if levels[2].endswith("DEATH"):
            return self._death(sent, origin, node, payload, now)
        return self._data(sent, origin, node, payload, now)

    def reconnected(self) -> None:
        """No node is in step until it is born again; each is asked with its first message."""
        for node in self.nodes.values():
            node.lose_step()

    def expired(self, now: float) -> list[Read]:
        """Held messages whose birth did not come: read as far as they carry names."""
        reads = []
        while self.held and now - self.held[0].since >= HOLD_SECONDS:
            reads.append(self._release(self.held.popleft()))
        return reads

    def _birth(self, sent: Sent, origin: Origin, node: Node, payload: Payload, now: float) -> list[Read]:
        if self.definitions + len(payload.metrics) > MOST_DEFINITIONS:
            return [
                self._refused(sent, f"the nodes of this broker describe more than {MOST_DEFINITIONS:,} metrics")
            ]
        before = node.definitions
        if origin.device:
            self._follow(sent, origin, node, payload, now)
            node.define(origin.device, payload.metrics)
        else:
            node.bear(payload.seq, payload.metrics)
        self.definitions += node.definitions - before
        freed = self._freed(origin) if node.is_in_step else ()
        return [self._read(sent, origin, node, payload), *freed]

    def _death(self, sent: Sent, origin: Origin, node: Node, payload: Payload, now: float) -> list[Read]:
        before = node.definitions
        if origin.device:
            self._follow(sent, origin, node, payload, now)
            node.bury(origin.device)
        elif _birth_seq(payload) in (None, node.birth_seq):
            node.die()
        self.definitions += node.definitions - before
        return [Read(sent.ticket, Rows(sent.topic, self.mapping).decoded())]

    def _follow(self, sent: Sent, origin: Origin, node: Node, payload: Payload, now: float) -> None:
        if not node.follows(payload.seq, is_repeated=sent.is_repeated):
            node.is_in_step = False
            self._ask(origin, node, now)

    def _data(self, sent: Sent, origin: Origin, node: Node, payload: Payload, now: float) -> list[Read]:
        follows = node.follows(payload.seq, is_repeated=sent.is_repeated)
        if follows and node.is_in_step and node.is_born(origin.device):
            return [self._read(sent, origin, node, payload)]
        node.is_in_step = False
        self._ask(origin, node, now)
        waits = node.asked_at is not None and now - node.asked_at < HOLD_SECONDS
        if waits and len(self.held) < MOST_HELD and self.held_bytes + len(sent.body) <= MOST_HELD_BYTES:
            self.held.append(Held(sent, origin, payload, now))
            self.held_bytes += len(sent.body)
            return []
        return [self._read(sent, origin, node, payload)]

    def _ask(self, origin: Origin, node: Node, now: float) -> None:
        """A rebirth, at most every so often."""
        if node.asked_at is None or now - node.asked_at >= SECONDS_BETWEEN_REBIRTHS:
            node.asked_at = now
            self.rebirths.append(rebirth_request(origin.group, origin.node, round(now * 1000)))

    def _freed(self, origin: Origin) -> Iterator[Read]:
        """What waited for this birth, in the order of arrival."""
        waiting, self.held = self.held, deque()
        for held in waiting:
            if held.origin == origin:
                yield self._release(held)
            else:
                self.held.append(held)

    def _release(self, held: Held) -> Read:
        self.held_bytes -= len(held.sent.body)
        node = self.nodes[held.origin.group, held.origin.node]
        return self._read(held.sent, held.origin, node, held.payload)

    def _read(self, sent: Sent, origin: Origin, node: Node, payload: Payload) -> Read:
        rows = Rows(sent.topic, self.mapping)
        read_metrics(rows, origin, self.machine_template, node, payload)
        return Read(sent.ticket, rows.decoded())

    def _refused(self, sent: Sent, reason: str) -> Read:
        rows = Rows(sent.topic, self.mapping)
        rows.refuse((None, reason), sent.body[:200].hex())
        return Read(sent.ticket, rows.decoded())


def rebirth_request(group: str, node: str, timestamp_ms: int) -> tuple[str, bytes]:
    metric = {"name": "Node Control/Rebirth", "datatype": BOOLEAN, "boolean_value": True, "timestamp": timestamp_ms}
    return f"{SPARKPLUG}/{group}/NCMD/{node}", encode_payload(timestamp_ms, [metric])


def _birth_seq(payload: Payload) -> int | None:
    said = (metric.value for metric in payload.metrics if metric.name == "bdSeq")
    return next((value for value in said if isinstance(value, int)), None)
