"""Sparkplug B messages as an edge node sends them."""

from __future__ import annotations

from app.ingest.mqtt.sparkplug import Read, Sent, Sparkplug
from app.ingest.mqtt.sparkplug_wire import encode_payload

# 2026-11-20 08:00 UTC
AT_MS = 1_795_161_600_000
FLOAT, INT16, BOOLEAN, TEXT = 9, 2, 11, 12
TEMPERATURE = {"name": "temperature_c", "alias": 1, "datatype": FLOAT}
CURRENT = {"name": "current_a", "alias": 2, "datatype": INT16}


def body(seq: int | None, *metrics: dict[str, object], at_ms: int = AT_MS) -> bytes:
    return encode_payload(at_ms, list(metrics), seq)


def birth(seq: int = 0, *metrics: dict[str, object], bd_seq: int = 7, at_ms: int = AT_MS) -> bytes:
    return body(seq, {"name": "bdSeq", "datatype": 4, "long_value": bd_seq}, *metrics, at_ms=at_ms)


def death(bd_seq: int = 7) -> bytes:
    return body(None, {"name": "bdSeq", "datatype": 4, "long_value": bd_seq})


def values(reads: list[Read]) -> list[tuple[str, int, dict[str, float]]]:
    """(machine, milliseconds after AT_MS, channels) of what was read."""
    names = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")
    found = []
    for read in reads:
        columns = read.decoded.columns
        for row, machine in enumerate(columns.machine):
            channels = {n: v for n, v in zip(names, columns.values[row].tolist(), strict=True) if v == v}
            found.append(
                (machine, int(columns.measured_us[row]) // 1000 - AT_MS, channels | (columns.extra[row] or {}))
            )
    return found


def reasons(reads: list[Read]) -> list[str]:
    return [each.reason for read in reads for each in read.decoded.rejected]


class Plant:
    """A Sparkplug state machine, and the messages a test lets it hear, a second apart unless it says otherwise."""

    def __init__(self, sparkplug: Sparkplug) -> None:
        self.sparkplug = sparkplug
        self.now = 1_000_000.0

    def hear(
        self, kind: str, content: bytes, device: str = "", repeated: bool = False, later: float = 1.0
    ) -> list[Read]:
        self.now += later
        topic = f"spBv1.0/hall3/{kind}/edge1" + (f"/{device}" if device else "")
        return self.sparkplug.hear(Sent(topic, content, repeated, topic), self.now)

    def asked(self) -> list[str]:
        """Topics of the requests since the last time."""
        topics = [topic for topic, _ in self.sparkplug.rebirths]
        self.sparkplug.rebirths.clear()
        return topics
