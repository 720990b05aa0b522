"""A JSON message and what its topic says -> readings: our own shape, a bare value, or any other object. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from app.errors import BadInput
from app.ingest.columns import NO_ROWS, Ints
from app.ingest.decode import Decoded, decode
from app.ingest.mapping import NameMapping
from app.ingest.mqtt.rows import Rows, microseconds
from app.ingest.plausibility import Fault, Rejection
from app.ingest.units import is_unit

TIME_NAMES = ("measured_at", "timestamp", "ts", "time", "datetime")
UNIT_NAMES = ("unit", "units", "engUnit")
VALUE_NAMES = ("value", "val", "v")
# Objects that only hold the values: their own names say nothing about a channel.
HOLDERS = frozenset({"extra", "values", "fields", "metrics", "data", "readings", "payload"})
# Deeper objects are documents, not readings.
DEEPEST = 3
MOST_FIELDS = 300
# The placeholder of a topic that names the channel itself; the message then is its value.
CHANNEL = "channel"
READER = msgspec.json.Decoder()
NO_TIME = (
    "the message says no time and was kept by the broker (retained or delivered again), so nobody knows when the "
    "value was measured; send a time"
)
OTHER_MACHINE = "the message names another machine than its topic, which stands for {}"
ONE_UNIT = "send each with its unit in the name, like temperature_f, or one number a message"
# Texts, fields, and the units declared by field or why they cannot be meant.
Understood = tuple[dict[str, str], dict[str, Any], dict[str, str] | str]


@dataclass(frozen=True)
class Heard:
    """A message: what its topic said, its body, and when it came; None where that says nothing about its values."""

    topic: str
    names: Mapping[str, str]
    body: bytes
    arrived_us: int | None


def read_json(heard: Heard, mapping: NameMapping, max_rows: int) -> Decoded:
    """Never raises: what cannot be understood is a rejection with its reason."""
    rows = Rows(heard.topic, mapping)
    try:
        read = _parse(heard.body)
        if CHANNEL not in heard.names and _is_ours(read):
            return _of_the_topics_machine(decode(heard.body, "application/json", max_rows), heard, mapping)
        items = read if isinstance(read, list) else [read]
        if len(items) > max_rows:
            raise BadInput(f"more than {max_rows:,} readings in one message")
    except (BadInput, RecursionError) as error:
        reason = error.detail if isinstance(error, BadInput) else "the message is nested too deeply"
        rows.refuse((None, reason), heard.body.decode(errors="replace"), heard.names)
        return rows.decoded()
    for item in items:
        _read_item(item, heard, rows)
    return rows.decoded()


def _parse(body: bytes) -> Any:
    try:
        return READER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            # Some senders write NaN and Infinity; the faults of such values are named one by one.
            return json.loads(body)
        except (ValueError, RecursionError):
            raise BadInput(f"the message is not JSON: {error}") from error


def _is_ours(read: Any) -> bool:
    first = read[0] if isinstance(read, list) and read else read
    return isinstance(first, dict) and "machine" in first and "measured_at" in first


def _of_the_topics_machine(decoded: Decoded, heard: Heard, mapping: NameMapping) -> Decoded:
    """Rows for a machine other than the topic's are refused: brokers grant rights by topic."""
    allowed = mapping.machine_of(heard.names)
    wrong = [row for row, key in enumerate(decoded.columns.machine) if key != allowed]
    if not isinstance(allowed, str) or not wrong:
        return decoded
    reason = OTHER_MACHINE.format(allowed)
    index, columns = decoded.index, decoded.columns
    refused = [
        Rejection(int(index[row]), "machine", reason, columns.machine[row], columns.as_json(row)) for row in wrong
    ]
    good: Ints = np.setdiff1d(np.arange(len(columns)), np.array(wrong))
    kept = columns.take(good) if len(good) else NO_ROWS
    return Decoded(kept, index[good], decoded.rejected + refused, decoded.count)


def _read_item(item: Any, heard: Heard, rows: Rows) -> None:
    given = item if isinstance(item, dict) else {VALUE_NAMES[0]: item}
    measured_us = _measured_us(given, heard.arrived_us)
    if isinstance(measured_us, str):
        rows.refuse(("measured_at", measured_us), _shown(item), heard.names)
        return
    if CHANNEL in heard.names:
        texts, fields, units = _of_channel(given, heard.names[CHANNEL])
    elif isinstance(item, dict):
        texts, fields, units = _of_object(item, rows.mapping)
    else:
        rows.refuse(
            (None, "a reading is a JSON object; only a topic with {channel} takes a bare value"), _shown(item)
        )
        return
    said = {name: text for name, text in heard.names.items() if name != CHANNEL}
    fault = _other_machine(texts, said, rows.mapping) or _unfit(fields, units)
    # What the topic says goes before what the message says; texts beside a bare value name nothing.
    names = said if CHANNEL in heard.names else texts | said
    if fault:
        rows.refuse(fault, _shown(item), names)
    elif not isinstance(units, str):
        rows.add(names, measured_us, fields, units)


def _measured_us(given: Mapping[str, Any], arrived_us: int | None) -> int | str:
    """The reading's own time, else one beside its values in an object that only holds them, else the arrival's."""
    for names in (given, _times_in_holders(given)):
        for name in TIME_NAMES:
            if names.get(name) is not None:
                return microseconds(names[name])
    return NO_TIME if arrived_us is None else arrived_us


def _times_in_holders(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in _leaves(given, "", 1):
        if name in TIME_NAMES and value is not None:
            found.setdefault(name, value)
    return found


def _other_machine(texts: Mapping[str, str], said: Mapping[str, str], mapping: NameMapping) -> Fault | None:
    """Brokers grant rights by topic, so a message may not name a machine other than its topic's.

    A weaker name, like the `host` of a message about a `{machine}`, is no machine's.
    """
    allowed = mapping.machine_of(said)
    if not isinstance(allowed, str) or mapping.machine_of({**said, **texts}) == allowed:
        return None
    return "machine", OTHER_MACHINE.format(allowed)


def _unfit(fields: Mapping[str, Any], units: Mapping[str, str] | str) -> Fault | None:
    if not fields:
        return None, "no value in the message"
    if len(fields) > MOST_FIELDS:
        return None, f"{len(fields)} values in one reading; at most {MOST_FIELDS}"
    return (None, units) if isinstance(units, str) else None


def _of_channel(given: Mapping[str, Any], channel: str) -> Understood:
    value = next((given[name] for name in VALUE_NAMES if name in given), None)
    unit = next((given[name] for name in UNIT_NAMES if isinstance(given.get(name), str)), "")
    return _texts(given.items()), {} if value is None else {channel: value}, {channel: unit} if unit else {}


def _of_object(item: Mapping[str, Any], mapping: NameMapping) -> Understood:
    """Texts name things and may be wrong values."""
    fields: dict[str, Any] = {}
    for name, value in _leaves(item, "", 1):
        if name not in TIME_NAMES and value is not None:
            fields[name] = value
        if len(fields) > MOST_FIELDS:
            break
    return _texts(fields.items()), fields, _units(fields, mapping)


def _texts(given: Iterable[tuple[str, Any]]) -> dict[str, str]:
    return {name: value for name, value in given if isinstance(value, str) and value}


def _units(fields: Mapping[str, Any], mapping: NameMapping) -> dict[str, str] | str:
    """The unit beside a number; beside several, why it says nothing. A plant may call a place `unit`."""
    names = {*mapping.machine_names, *mapping.qualifiers, *(name for _, name in mapping.template or ())}
    unit = next(
        (fields[name] for name in UNIT_NAMES if name not in names and isinstance(fields.get(name), str)), ""
    )
    if not unit:
        return {}
    numbers = [name for name, value in fields.items() if type(value) in (int, float) and mapping.target_of(name)]
    if len(numbers) == 1:
        return {numbers[0]: unit}
    return f"the unit {unit[:40]!r} stands beside {len(numbers)} numbers; {ONE_UNIT}" if is_unit(unit) else {}


def _leaves(item: Mapping[str, Any], before: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _leaves(value, before if name in HOLDERS else f"{before}{name}.", depth + 1)
        elif not isinstance(value, list):
            yield before + name, value


def _shown(item: Any) -> str:
    return json.dumps(item, default=str)[:2000] if not isinstance(item, str) else item[:2000]
