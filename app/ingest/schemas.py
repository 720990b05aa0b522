"""Readings on the wire: what a request may hold, what its answer says, what charts and ledgers are given."""

from __future__ import annotations

from datetime import datetime
from itertools import combinations
from typing import Any

from pydantic import BaseModel, Field

from app.ingest.plausibility import LARGEST_EXTRA, LIMITS, LONGEST_NAME, MOST_EXTRA_CHANNELS
from app.ingest.units import ALTERNATIVE_NAMES, CONVERTED


class RejectedRow(BaseModel):
    """A row that was not stored. `index` counts the rows of the request from 0."""

    index: int
    field: str | None = Field(description="The field at fault, where it is one.")
    reason: str


class ConflictingRow(BaseModel):
    """A channel that had another value already: that one stays, this one is kept among the conflicts."""

    index: int
    channel: str
    stored: float
    refused: float


class ReadingsReport(BaseModel):
    """What became of the rows of a request; every row counts exactly once. Sent after the commit."""

    accepted: int = Field(description="Rows stored for the first time.")
    duplicates: int = Field(description="Rows that said what was stored already.")
    merged: int = Field(description="Rows that filled in missing channels of a stored reading.")
    conflicts: int = Field(description="Rows that contradict a stored value in at least one channel.")
    rejected: list[RejectedRow]
    conflicting: list[ConflictingRow] = Field(description="The contradicting values, the first 100.")


class ChannelSeries(BaseModel):
    """One channel as columns of equal length. Where `min` and `max` differ from `mean`, a point stands for many."""

    t: list[datetime]
    mean: list[float]
    min: list[float]
    max: list[float]


class MachineReadings(BaseModel):
    machine: str
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    source: str = Field(
        description="`raw`, `binned`, `minutes` or `rollups`: as sent, binned evenly, by minute, by bucket."
    )
    channels: dict[str, ChannelSeries]


class RejectedOut(BaseModel):
    id: int
    machine: str | None
    field: str | None
    reason: str
    payload: str
    sender: str
    received_at: datetime


class ConflictOut(BaseModel):
    id: int
    machine: str
    measured_at: datetime
    channel: str
    stored_value: float
    refused_value: float
    sender: str
    received_at: datetime


class RejectedPage(BaseModel):
    items: list[RejectedOut]
    next: int | None = Field(description="Pass as `before` for the next page; null at the end.")


class ConflictPage(BaseModel):
    items: list[ConflictOut]
    next: int | None = Field(description="Pass as `before` for the next page; null at the end.")


def _channel(channel: str) -> dict[str, Any]:
    low, high, unit = LIMITS[channel]
    return {"type": ["number", "null"], "minimum": low, "maximum": high, "description": unit}


def _converted(name: str) -> dict[str, Any]:
    channel, into = CONVERTED[name]
    low, high = ((limit - into.offset) / into.factor for limit in LIMITS[channel][:2])
    described = f"{ALTERNATIVE_NAMES[name][1]}; stored as {channel}"
    return {"type": ["number", "null"], "minimum": low, "maximum": high, "description": described}


def _one_channel_in_two_units() -> list[dict[str, Any]]:
    """Pairs of fields of which a reading has at most one."""
    names = [(channel, channel) for channel in LIMITS] + [
        (name, channel) for name, (channel, _) in CONVERTED.items()
    ]
    pairs = combinations(names, 2)
    return [{"required": [one, other]} for (one, channel), (other, same) in pairs if channel == same]


READING: dict[str, Any] = {
    "type": "object",
    "title": "Reading",
    "description": "A name that comes twice in one object counts once, with its last value, as JSON readers do.",
    "required": ["machine", "measured_at"],
    "additionalProperties": False,
    "properties": {
        "machine": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "examples": ["press-07"]},
        "measured_at": {
            "type": "string",
            "format": "date-time",
            "description": "With a zone; at most `WEARWATCH_MAX_FUTURE` ahead.",
        },
        **{channel: _channel(channel) for channel in LIMITS},
        "extra": {
            "type": ["object", "null"],
            "description": "Every other channel.",
            "maxProperties": MOST_EXTRA_CHANNELS,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
            "additionalProperties": {
                "type": ["number", "null"],
                "minimum": -LARGEST_EXTRA,
                "maximum": LARGEST_EXTRA,
            },
            "examples": [{"pressure_bar": 5.4}],
        },
    },
}
READING_IN_OTHER_UNITS: dict[str, Any] = {
    **READING,
    "title": "ReadingInOtherUnits",
    "description": "A reading whose fields may name other units; they are converted. A channel comes in one unit.",
    "properties": READING["properties"] | {name: _converted(name) for name in CONVERTED},
    "not": {"anyOf": _one_channel_in_two_units()},
}
ROW: dict[str, Any] = {"anyOf": [READING, READING_IN_OTHER_UNITS]}
READINGS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One reading, a list, or one a line (NDJSON); gzip with `Content-Encoding: gzip`.",
        "content": {
            "application/json": {"schema": {"anyOf": [*ROW["anyOf"], {"type": "array", "items": ROW}]}},
            "application/x-ndjson": {"schema": {"type": "string", "description": "A reading on every line."}},
        },
    }
}
