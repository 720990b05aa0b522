"""What a kept model says of machines at given times: the one way that scoring, backtest and evaluation share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ml.artefacts import Saved
from ml.features.builder import build
from ml.features.history import Features, Floats, History, Moments
from ml.models.anomaly import Anomalies, Learn, anomalies
from ml.models.base import cumulative_risk, risk_by_mode
from ml.models.normal import learn_normals
from ml.remaining_life import RemainingLife, remaining_life
from ml.trust import Trust, judge_data


@dataclass(frozen=True)
class Predicted:
    """risk [n, K], its band or None, by_mode [n, K, M]; NaN where there is nothing to predict from."""

    features: Features
    risk: Floats
    band: tuple[Floats, Floats] | None
    by_mode: Floats
    life: RemainingLife
    anomaly: Anomalies
    trust: Trust


def predict(
    saved: Saved, history: History, moments: Moments, silent_after: timedelta, learn: Learn = learn_normals
) -> Predicted:
    """From what the model `looked_at`; `learn` as for anomalies.

    Machines without any reading before the moment get NaN, never a number.
    """
    features = build(history, moments, saved.features)
    hazards = saved.fitted.hazards(features)
    channels = tuple(dict.fromkeys(feature.channel for feature in saved.features if feature.channel))
    trust = judge_data(history, moments, channels or history.channels, silent_after)
    if saved.fitted.says_nothing:
        trust = trust.without_risk(saved.fitted.says_nothing)
    hazards[~trust.usable] = np.nan
    risk = cumulative_risk(hazards)
    found = anomalies(history, moments, int(saved.trained_until.timestamp()), learn)
    # What a machine was like when it fell silent is not what it is like.
    found.score[trust.coverage == 0] = np.nan
    return Predicted(
        features,
        risk,
        saved.fitted.band(risk),
        risk_by_mode(hazards),
        remaining_life(hazards, saved.horizons_hours),
        found,
        trust,
    )
