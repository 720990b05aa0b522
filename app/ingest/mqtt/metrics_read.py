"""Metrics of a Sparkplug message, with what is known of them -> readings of machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import Formatter

from app.errors import BadInput
from app.ingest.mqtt.births import Definition, Node
from app.ingest.mqtt.rows import LATEST_US, Rows
from app.ingest.mqtt.sparkplug_wire import Metric, Payload, meaning
from app.ingest.plausibility import LONGEST_NAME

MILLISECONDS_US = 1_000
# The protocol's own metrics and what a node says of itself.
OWN_METRICS = ("bdSeq", "Node Control/", "Device Control/", "Node Info/", "Device Info/", "Node Properties/")
# OPC's scale, which gateways pass on: 192 to 255 are good, below is bad or uncertain; Sparkplug adds 500 for stale.
# Ignition counts on: 256 uncertain, 512 bad, 768 errors, and sets its highest bits for each of these.
GOOD, STALE = range(192, 256), 500
CODE_BITS = 0xFFFF
PLACES = ("group", "node", "device", "folder")


@dataclass(frozen=True)
class Origin:
    """Where a message comes from; `device` is empty for the node's own metrics."""

    group: str
    node: str
    device: str

    def machine(self, template: str, folder: str) -> str:
        """Without a device the node stands for it; a folder of several levels is joined by hyphens."""
        device = self.device or self.node
        return template.format(group=self.group, node=self.node, device=device, folder=folder.replace("/", "-"))


@dataclass
class Found:
    """One reading in the making."""

    fields: dict[str, object] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


def check_template(template: str) -> str:
    """Raises BadInput where a machine's key cannot be made of `template`."""
    try:
        names = [name for _, name, form, how in Formatter().parse(template) if name is not None]
        template.format(**dict.fromkeys(PLACES, ""))
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise BadInput(f"{template[:80]!r} is no machine's key; use {_places()}.") from error
    if not names:
        raise BadInput(f"{template[:80]!r} would be one machine for everything; use {_places()}.")
    return template


def read_metrics(rows: Rows, origin: Origin, template: str, node: Node, payload: Payload) -> None:
    """One reading for each machine and time in the message; the same channel twice makes a second reading."""
    readings: dict[tuple[str, int, int], Found] = {}
    unknown: list[Metric] = []
    for metric in payload.metrics:
        known = node.definition_of(origin.device, metric)
        if known is None:
            unknown.append(metric)
            continue
        value = _value(metric, known)
        if value is None:
            continue
        machine, name = _machine_and_name(origin, template, known.name)
        measured_us = _measured_us(metric, payload)
        if fault := _fault(metric) or (measured_us if isinstance(measured_us, str) else None):
            rows.refuse((name[:LONGEST_NAME], fault), f"{value}", {"machine": machine})
        elif isinstance(measured_us, int):
            found = _reading_for(readings, machine, measured_us, name)
            found.fields[name] = value
            found.units[name] = metric.unit or known.unit
    for (machine, measured_us, _), found in readings.items():
        rows.add({"machine": machine}, measured_us, found.fields, found.units)
    if unknown:
        rows.refuse((None, _unknown(unknown, origin)), "", {"machine": origin.machine(template, "")})


def _value(metric: Metric, known: Definition) -> int | float | bool | None:
    """None where the metric is no measurement: null, text, a date, or one of the protocol's own."""
    if metric.value is None or known.name.startswith(OWN_METRICS):
        return None
    value = meaning(metric.value, metric.datatype or known.datatype)
    return None if isinstance(value, str) else value


def _machine_and_name(origin: Origin, template: str, name: str) -> tuple[str, str]:
    if "{folder}" not in template:
        return origin.machine(template, ""), name
    folder, _, last = name.rpartition("/")
    return origin.machine(template, folder), last


def _measured_us(metric: Metric, payload: Payload) -> int | str:
    if metric.timestamp_ms is None and metric.is_historical:
        return "a historical value without a time of its own"
    at_ms = payload.timestamp_ms if metric.timestamp_ms is None else metric.timestamp_ms
    return (
        "neither the metric nor the message has a time"
        if at_ms is None
        else min(at_ms * MILLISECONDS_US, LATEST_US)
    )


def _fault(metric: Metric) -> str | None:
    if metric.quality is None or metric.quality in GOOD:
        return None
    code = metric.quality & CODE_BITS
    return f"the gateway says that the value is {'stale' if code == STALE else 'not good'} (quality {code})"


def _reading_for(readings: dict[tuple[str, int, int], Found], machine: str, measured_us: int, name: str) -> Found:
    turn = 0
    while name in (found := readings.setdefault((machine, measured_us, turn), Found())).fields:
        turn += 1
    return found


def _unknown(unknown: list[Metric], origin: Origin) -> str:
    aliases = ", ".join(str(metric.alias) if metric.alias is not None else metric.name for metric in unknown[:5])
    whose = f"{origin.group}/{origin.node}" + (f"/{origin.device}" if origin.device else "")
    return (
        f"{len(unknown)} metrics ({aliases[:200]}) that no birth certificate of {whose[:200]} explains; "
        "the node was asked for a rebirth"
    )


def _places() -> str:
    return ", ".join(f"{{{place}}}" for place in PLACES)
