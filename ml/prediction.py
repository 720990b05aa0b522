"""What a kept model says of machines at given times: the one way that scoring, backtest and evaluation share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ml.artefacts import Saved
from ml.features.builder import build
from ml.features.history import Features, Floats, History, Moments
from ml.models.anomaly import anomaly_scores
from ml.models.base import cumulative_risk, risk_by_mode
from ml.remaining_life import RemainingLife, remaining_life
from ml.trust import Trust, judge_data


@dataclass(frozen=True)
class Predicted:
    """anomaly [n], risk [n, K], its band or None, by_mode [n, K, M]; NaN where there is nothing to predict from."""

    features: Features
    risk: Floats
    band: tuple[Floats, Floats] | None
    by_mode: Floats
    life: RemainingLife
    anomaly: Floats
    trust: Trust


def predict(saved: Saved, history: History, moments: Moments, silent_after: timedelta) -> Predicted:
    """Machines without any reading before the moment get NaN, never a number."""
    features = build(history, moments, saved.features)
    hazards = saved.fitted.hazards(features)
    channels = tuple(dict.fromkeys(feature.channel for feature in saved.features if feature.channel))
    trust = judge_data(history, moments, channels, silent_after)
    hazards[~trust.usable] = np.nan
    risk = cumulative_risk(hazards)
    return Predicted(
        features,
        risk,
        saved.fitted.band(risk),
        risk_by_mode(hazards),
        remaining_life(hazards, saved.horizons_hours),
        anomaly_scores(history, moments),
        trust,
    )
