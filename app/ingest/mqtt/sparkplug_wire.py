"""Sparkplug B on the wire: the fields Wearwatch reads, in protobuf's own runtime. Pure.

The messages are declared here by their public field numbers. What is not declared (metadata, data sets, templates,
bytes) is skipped, so that a payload full of them costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

# An empty metric is two bytes on the wire and a hundred in memory.
MOST_METRICS = 10_000
PACKAGE = "wearwatch.sparkplug"
UNIT_NAMES = frozenset({"engUnit", "engineeringUnits", "Engineering Units", "unit"})

Kind = descriptor_pb2.FieldDescriptorProto
U32, U64, FLOAT, DOUBLE = Kind.TYPE_UINT32, Kind.TYPE_UINT64, Kind.TYPE_FLOAT, Kind.TYPE_DOUBLE
BOOL, STRING, MESSAGE = Kind.TYPE_BOOL, Kind.TYPE_STRING, Kind.TYPE_MESSAGE
VALUES = (
    ("int_value", U32),
    ("long_value", U64),
    ("float_value", FLOAT),
    ("double_value", DOUBLE),
    ("boolean_value", BOOL),
    ("string_value", STRING),
)
Fields = Mapping[str, tuple[int, int]]
METRIC: Fields = {
    "name": (1, STRING),
    "alias": (2, U64),
    "timestamp": (3, U64),
    "datatype": (4, U32),
    "is_historical": (5, BOOL),
    "is_null": (7, BOOL),
    **{name: (number, kind) for number, (name, kind) in enumerate(VALUES, start=10)},
}
PROPERTY: Fields = {
    "is_null": (2, BOOL),
    **{name: (number, kind) for number, (name, kind) in enumerate(VALUES, start=3)},
}

SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
# Unsigned whole numbers, and the two floating ones, which some senders fill with a whole number.
COUNTS = frozenset({5, 6, 7, 8, 9, 10})
BOOLEAN = 11


@dataclass(frozen=True)
class Metric:
    """One metric as sent. `value` is as on the wire; None where it is null or a file, a table and the like."""

    name: str
    alias: int | None
    timestamp_ms: int | None
    datatype: int | None
    is_historical: bool
    is_null: bool
    value: int | float | bool | str | None
    unit: str
    quality: int | None


@dataclass(frozen=True)
class Payload:
    timestamp_ms: int | None
    seq: int | None
    metrics: list[Metric]


def decode_payload(body: bytes) -> Payload | str:
    """The payload, or the reason why it is none."""
    try:
        message = PAYLOAD.FromString(body)
        if len(message.metrics) > MOST_METRICS:
            return f"{len(message.metrics):,} metrics in one message; at most {MOST_METRICS:,}"
        return Payload(_given(message, "timestamp"), _given(message, "seq"), list(map(_metric, message.metrics)))
    except DecodeError:
        return "the message is not Sparkplug B"


def encode_payload(timestamp_ms: int, metrics: list[dict[str, Any]], seq: int | None = None) -> bytes:
    """Metrics as keywords of the fields above; `properties` as name -> value."""
    message = PAYLOAD(timestamp=timestamp_ms)
    if seq is not None:
        message.seq = seq
    for given in metrics:
        fields = {name: value for name, value in given.items() if name != "properties"}
        metric = message.metrics.add(**fields)
        for key, value in given.get("properties", {}).items():
            metric.properties.keys.append(key)
            kind = "string_value" if isinstance(value, str) else "int_value"
            metric.properties.values.add(**{kind: value})
    body: bytes = message.SerializeToString()
    return body


def meaning(value: int | float | bool | str, datatype: int | None) -> int | float | bool | str | None:
    """The value as its datatype means it; None where that is no measurement, as of dates.

    Negative numbers of the small types arrive in 8, 16 or 32 bits of two's complement: senders differ.
    """
    if isinstance(value, bool | float | str):
        return value
    if datatype in SIGNED_BITS:
        bits = SIGNED_BITS[datatype]
        low = value & ((1 << bits) - 1)
        return low - (1 << bits) if low >> (bits - 1) else low
    return bool(value) if datatype == BOOLEAN else value if datatype in COUNTS else None


def _metric(sent: Any) -> Metric:
    kind = sent.WhichOneof("value")
    unit, quality = _properties(sent.properties) if sent.HasField("properties") else ("", None)
    return Metric(
        sent.name,
        _given(sent, "alias"),
        _given(sent, "timestamp"),
        _given(sent, "datatype"),
        sent.is_historical,
        sent.is_null,
        None if kind is None or sent.is_null else getattr(sent, kind),
        unit,
        quality,
    )


def _properties(sent: Any) -> tuple[str, int | None]:
    """The two that say something about a value: its unit, and whether the gateway believes it."""
    unit, quality = "", None
    for key, value in zip(sent.keys, sent.values, strict=False):
        if key in UNIT_NAMES:
            unit = value.string_value
        elif key in ("Quality", "quality") and value.WhichOneof("value") in ("int_value", "long_value"):
            quality = value.int_value or value.long_value
    return unit, quality


def _given(message: Any, field: str) -> int | None:
    return getattr(message, field) if message.HasField(field) else None


def _declare() -> Any:
    """The message class of a payload, built from the field numbers above."""
    file = descriptor_pb2.FileDescriptorProto(
        name="wearwatch/sparkplug_b.proto",
        package=PACKAGE,
        # Fields know whether they were sent, and text that is not UTF-8 is refused.
        syntax="editions",
        edition=descriptor_pb2.EDITION_2023,
    )
    _add(file, "PropertyValue", PROPERTY)
    properties = _add(file, "PropertySet", {})
    _add_field(properties, "keys", 1, STRING, repeated=True)
    _add_field(properties, "values", 2, MESSAGE, repeated=True, type_name=f".{PACKAGE}.PropertyValue")
    metric = _add(file, "Metric", METRIC)
    _add_field(metric, "properties", 9, MESSAGE, type_name=f".{PACKAGE}.PropertySet")
    payload = _add(file, "Payload", {"timestamp": (1, U64), "seq": (3, U64)})
    _add_field(payload, "metrics", 2, MESSAGE, repeated=True, type_name=f".{PACKAGE}.Metric")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


def _add(file: Any, name: str, fields: Fields) -> Any:
    message = file.message_type.add(name=name)
    for field, (number_, kind) in fields.items():
        _add_field(message, field, number_, kind)
    return message


def _add_field(message: Any, name: str, number_: int, kind: int, *, repeated: bool = False, **more: Any) -> None:
    """Of the value fields at most one is set."""
    if name.endswith("_value"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        more["oneof_index"] = 0
    label = Kind.LABEL_REPEATED if repeated else Kind.LABEL_OPTIONAL
    message.field.add(name=name, number=number_, type=kind, label=label, **more)


PAYLOAD = _declare()
