"""A new prediction on its way into the database, and what makes it fit to be kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.risk.curve import fault

UNUSABLE = "the model gave no usable risk: "


@dataclass(frozen=True)
class NewPrediction:
    """One machine's prediction; field names and units are the table's. `modes`: mode -> risk along the horizons."""

    machine_id: int
    as_of: datetime
    horizons_hours: Sequence[float]
    probabilities: Sequence[float] | None
    coverage: float
    probabilities_low: Sequence[float] | None = None
    probabilities_high: Sequence[float] | None = None
    modes: Mapping[str, Sequence[float]] = field(default_factory=dict)
    remaining_life_low_hours: float | None = None
    remaining_life_median_hours: float | None = None
    remaining_life_high_hours: float | None = None
    anomaly_score: float | None = None
    reasons: Sequence[Mapping[str, object]] = ()
    not_enough_data: str | None = None


def storable(prediction: NewPrediction) -> NewPrediction:
    """Without a number that is not finite; a risk that is no curve is dropped and the reason kept in its place."""
    risk, reason = _risk(prediction)
    return replace(
        prediction,
        horizons_hours=[float(hours) for hours in prediction.horizons_hours],
        probabilities=risk,
        probabilities_low=_bound(prediction.probabilities_low, risk),
        probabilities_high=_bound(prediction.probabilities_high, risk),
        modes=finite(prediction.modes) if risk else {},
        remaining_life_low_hours=_number(prediction.remaining_life_low_hours) if risk else None,
        remaining_life_median_hours=_number(prediction.remaining_life_median_hours) if risk else None,
        remaining_life_high_hours=_number(prediction.remaining_life_high_hours) if risk else None,
        anomaly_score=_number(prediction.anomaly_score),
        coverage=_number(prediction.coverage) or 0.0,
        reasons=finite(list(prediction.reasons)),
        not_enough_data=reason,
    )


def _risk(prediction: NewPrediction) -> tuple[list[float] | None, str | None]:
    if prediction.probabilities is None:
        return None, prediction.not_enough_data or UNUSABLE + "no probability"
    wrong = fault(list(prediction.horizons_hours), list(prediction.probabilities))
    if wrong is not None:
        return None, prediction.not_enough_data or UNUSABLE + wrong
    return [min(max(float(each), 0.0), 1.0) for each in prediction.probabilities], prediction.not_enough_data


def _bound(bound: Sequence[float] | None, risk: list[float] | None) -> list[float] | None:
    if bound is None or risk is None or len(bound) != len(risk) or not all(map(math.isfinite, bound)):
        return None
    return [min(max(float(each), 0.0), 1.0) for each in bound]


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def finite(value: Any) -> Any:
    """The same, with None for every NaN and infinity and without NUL, which jsonb cannot hold."""
    # Numbers are most of what is stored, and the cheapest to know.
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {finite(key): finite(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [finite(each) for each in value]
    return finite(value.tolist()) if hasattr(value, "tolist") else value
