"""Words for people: what a channel and a window are called."""

from __future__ import annotations

from datetime import timedelta

from app.duration import duration_text

# A channel's name carries its unit as its ending; longer endings first.
UNITS = {
    "_mm_s2": "mm/s²",
    "_mm_s": "mm/s",
    "_m_s2": "m/s²",
    "_l_min": "l/min",
    "_percent": "%",
    "_hours": "h",
    "_mbar": "mbar",
    "_bar": "bar",
    "_kpa": "kPa",
    "_mpa": "MPa",
    "_rpm": "r/min",
    "_khz": "kHz",
    "_hz": "Hz",
    "_kw": "kW",
    "_nm": "Nm",
    "_mm": "mm",
    "_um": "µm",
    "_pct": "%",
    "_db": "dB",
    "_ma": "mA",
    "_c": "°C",
    "_a": "A",
    "_v": "V",
    "_w": "W",
    "_g": "g",
}
UNIT_LETTERS = {"s": "s", "m": "min", "h": "h", "d": "d"}
# Beyond three days people count in days.
HOURS_READ_AS_HOURS = 72


def _ending(channel: str) -> str:
    return next((ending for ending in UNITS if channel.endswith(ending) and channel != ending), "")


def channel_unit(channel: str) -> str:
    """`vibration_mm_s` -> `mm/s`; empty where the name tells none."""
    return UNITS.get(_ending(channel), "")


def channel_words(channel: str) -> str:
    """`vibration_mm_s` -> `vibration`."""
    return channel.removesuffix(_ending(channel)).replace("_", " ").strip() or channel


def window_words(buckets: int, bucket_seconds: int) -> str:
    """`in the last bucket`, `over 24 h`, `over 7 d`."""
    if buckets == 1:
        return "in the last bucket"
    seconds = buckets * bucket_seconds
    if seconds % 3600 == 0 and seconds <= HOURS_READ_AS_HOURS * 3600:
        return f"over {seconds // 3600} h"
    text = duration_text(timedelta(seconds=seconds))
    return f"over {text[:-1]} {UNIT_LETTERS[text[-1]]}"
