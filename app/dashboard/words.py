"""How numbers, times and channels read to people: the last step before a value stands on a page."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

# Channel names end in their unit (design: names carry units); the longest ending wins.
UNITS = {
    "_mm_s": "mm/s r.m.s.",
    "_m_s": "m/s",
    "_m_s2": "m/s²",
    "_l_min": "l/min",
    "_m3_h": "m³/h",
    "_percent": "%",
    "_pct": "%",
    "_rpm": "r/min",
    "_bar": "bar",
    "_kpa": "kPa",
    "_kwh": "kWh",
    "_kw": "kW",
    "_hz": "Hz",
    "_ppm": "ppm",
    "_nm": "N·m",
    "_hours": "h",
    "_mv": "mV",
    "_ma": "mA",
    "_c": "°C",
    "_a": "A",
    "_v": "V",
    "_g": "g",
}
STATUS_WORDS = {
    "normal": "normal",
    "warning": "warning",
    "alarm": "alarm",
    "no_data": "no data",
    "not_enough_data": "not enough data",
}
EVENT_WORDS = {
    "failure": "Failure",
    "service": "Service",
    "fault_code": "Fault code",
    "decommission": "Decommissioned",
}
KIND_WORDS = {
    "anomaly": "Anomaly score only",
    "lstm": "LSTM",
    "weibull": "Age only (Weibull)",
    "logistic": "Logistic regression",
}
NOTHING = "–"


DOUBT_WORDS = {
    "outside_range": "outside what its class shows",
    "too_fast": "changed faster than its class can",
    "stuck": "the same value for hours while running",
    "counter_reset": "running hours started again",
    "counter_fell": "running hours fell",
}
REFUSAL_WORDS = {
    "future": "from the future",
    "past": "from a clock not set",
    "unknown_machine": "of unknown machines",
    "unit": "in a unit that cannot be",
    "range": "beyond anything measurable",
    "unknown_field": "with unknown fields",
    "not_a_number": "not a number",
    "empty": "without a value",
    "machine": "without a usable machine",
    "time": "without a usable time",
    "form": "not readable",
}


def percent(share: float | None) -> str:
    """0.384 -> `38 %`; a share that is not exactly 0 or 1 never reads as if it were."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def points(change: float | None) -> str:
    """A change of probability in percentage points: 0.214 -> `+21`."""
    if change is None or not math.isfinite(change):
        return NOTHING
    rounded = round(change * 100)
    return f"{rounded:+d}".replace("-", "−") if rounded else "0"


def number(value: float | None) -> str:
    """Three significant digits, thousands in groups: 5.2371 -> `5.24`, 18402.3 -> `18,402`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= 1e9:
        return f"{value:.2e}"
    decimals = 0 if size >= 100 or value == round(value) else 1 if size >= 10 else 2
    if 0 < size < 0.01:
        return f"{value:.1e}"
    return f"{value:,.{decimals}f}".replace("-", "−")


def figure(value: float | None) -> str:
    """A score between 0 and 1 with three decimals, as model cards give it."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.3f}"


def money(amount: float | None, currency: str) -> str:
    """41312.4 -> `€ 41,310`: three digits or more stay exact enough to decide on, cents never matter."""
    if amount is None or not math.isfinite(amount):
        return NOTHING
    step = 10 if abs(amount) >= 1000 else 1
    return f"{currency} {round(amount / step) * step:,}".replace("-", "−")


def duration(hours: float | None) -> str:
    """Hours as people say them: 5 -> `5 h`, 216 -> `9 days`, 2900 -> `4 months`."""
    if hours is None or not math.isfinite(hours):
        return NOTHING
    days = hours / 24
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    if hours < 47.5:
        return f"{round(hours)} h"
    if days < 99.5:
        return f"{round(days)} days"
    return f"{round(days / 30.4)} months" if days < 730 else f"{round(days / 365)} years"


def horizon(hours: float) -> str:
    """72 -> `3 d`, 5 -> `5 h`: the short form for columns and axes."""
    return f"{hours / 24:g} d" if hours >= 24 and hours % 24 == 0 else f"{hours:g} h"


def ago(moment: datetime | None, now: datetime) -> str:
    """`4 s ago`, `3 h ago`; a moment ahead of our clock reads `just now`."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    if seconds < 2:
        return "just now"
    return f"{seconds:.0f} s ago" if seconds < 90 else f"{duration(seconds / 3600)} ago"


def span(width: timedelta) -> str:
    return duration(width.total_seconds() / 3600)


def day(of: date) -> str:
    """`Mon 7 Dec`."""
    return f"{of:%a} {of.day} {of:%b}"


def utc(moment: datetime) -> str:
    """`20 Nov 2026 14:32 UTC`: what the page says until the browser puts it into its own zone."""
    return f"{moment.astimezone(UTC):%-d %b %Y %H:%M} UTC"


def channel(key: str) -> tuple[str, str]:
    """`vibration_mm_s` -> (`vibration`, `mm/s r.m.s.`); a name without a known ending has no unit."""
    ending = max((unit for unit in UNITS if key.endswith(unit) and len(key) > len(unit)), key=len, default="")
    name = key[: len(key) - len(ending)] if ending else key
    return name.replace("_", " ").strip() or key, UNITS.get(ending, "")


def doubt(kind: str) -> str:
    return DOUBT_WORDS.get(kind, kind.replace("_", " "))


def refusal(kind: str) -> str:
    return REFUSAL_WORDS.get(kind, kind.replace("_", " "))


def lag(seconds: int | None) -> str:
    """From measuring to receiving; a reading from a clock that runs ahead comes before it was measured."""
    if seconds is None:
        return "–"
    length = abs(seconds)
    return ("ahead " if seconds < 0 else "") + (f"{length} s" if length < 120 else duration(length / 3600))


def status(key: str) -> str:
    return STATUS_WORDS.get(key, key.replace("_", " "))


def event_kind(key: str) -> str:
    return EVENT_WORDS.get(key, key.replace("_", " "))


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 -> `1 machine`, 3 -> `3 machines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def model_kind(key: str) -> str:
    """`random_forest` -> `Random forest`, `lstm` -> `LSTM`."""
    return KIND_WORDS.get(key) or key.replace("_", " ").capitalize()
