"""What a prediction means now: a status in one word with its reason, and the expected loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Warnings and alarms are judged at this horizon, or at the longest one of a model that looks less far.
STATUS_HORIZON_HOURS = 168.0
# A prediction misses this many rounds of scoring before it counts as stale: one may fail and be tried again.
STALE_AFTER_ROUNDS = 3


class Status(StrEnum):
    """`no_data` and `not_enough_data` are states of their own: neither is ever shown as normal."""

    NO_DATA = "no_data"
    NOT_ENOUGH_DATA = "not_enough_data"
    ALARM = "alarm"
    WARNING = "warning"
    NORMAL = "normal"


@dataclass(frozen=True)
class Limits:
    """From which probability on to warn and to alarm, and for how long silence and old predictions are borne."""

    warn_probability: float
    alarm_probability: float
    silent_after: timedelta
    stale_after: timedelta


@dataclass(frozen=True)
class Known:
    """What is known of a machine. `probability` is the one at the status horizon; None where there is none."""

    last_reading_at: datetime | None
    as_of: datetime | None
    probability: float | None
    not_enough_data: str | None
    decommissioned_at: datetime | None = None


@dataclass(frozen=True)
class Assessment:
    """`reason` says why there is no risk to show; it is None for alarm, warning and normal.

    outdated: whatever was said last is of a machine that has gone, fell silent or was not scored lately.
    """

    status: Status
    reason: str | None
    outdated: bool = False

    @property
    def usable(self) -> bool:
        return self.reason is None


def stale_after(bucket: timedelta, scoring_within: timedelta) -> timedelta:
    """A bucket is scored once it is full, so even the newest prediction may be a bucket and a round old."""
    return STALE_AFTER_ROUNDS * (bucket + scoring_within)


def assess(known: Known, limits: Limits, now: datetime) -> Assessment:
    """The status of a machine. Whatever is missing outranks whatever was predicted."""
    if known.decommissioned_at is not None and known.decommissioned_at <= now:
        return Assessment(Status.NO_DATA, f"decommissioned since {_time(known.decommissioned_at)}", outdated=True)
    missing = _missing_prediction(known, limits, now)
    if _silent(known, limits, now):
        return Assessment(Status.NO_DATA, _silence(known, missing), outdated=True)
    if missing is not None:
        return Assessment(Status.NOT_ENOUGH_DATA, missing, outdated=_stale(known, limits, now))
    assert known.probability is not None
    return Assessment(_severity(known.probability, limits), None)


def expected_loss(probability: float, failure_cost: float) -> float:
    return probability * failure_cost


def _severity(probability: float, limits: Limits) -> Status:
    if probability >= limits.alarm_probability:
        return Status.ALARM
    return Status.WARNING if probability >= limits.warn_probability else Status.NORMAL


def _missing_prediction(known: Known, limits: Limits, now: datetime) -> str | None:
    if known.as_of is None:
        never = known.last_reading_at is None
        return "no prediction yet: " + ("no reading has arrived" if never else "not scored so far")
    if known.not_enough_data is not None:
        return known.not_enough_data
    if known.probability is None:
        return "the newest prediction holds no probability"
    if _stale(known, limits, now):
        return f"stale: the newest prediction is from {_time(known.as_of)}"
    return None


def _stale(known: Known, limits: Limits, now: datetime) -> bool:
    return known.as_of is not None and known.as_of < now - limits.stale_after


def _silent(known: Known, limits: Limits, now: datetime) -> bool:
    return known.last_reading_at is None or known.last_reading_at < now - limits.silent_after


def _silence(known: Known, missing: str | None) -> str:
    if known.as_of is None and missing is not None and known.last_reading_at is None:
        return missing
    if known.last_reading_at is None:
        return "no reading has arrived"
    return f"silent: no reading since {_time(known.last_reading_at)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def nearest_to_status_horizon(horizons_hours: Sequence[float]) -> int:
    """Its position."""
    return min(range(len(horizons_hours)), key=lambda k: abs(horizons_hours[k] - STATUS_HORIZON_HOURS))
