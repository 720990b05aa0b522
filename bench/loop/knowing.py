"""What the product knows of a plant: what it learnt on another plant's past, by its own features and models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from app.risk.curve import Curve
from app.risk.reading_risk import curve_of
from app.settings import Settings
from bench.loop.seen import HOUR, Seen
from bench.taught import HORIZONS_HOURS
from ml.artefacts import Saved
from ml.features.history import Moments
from ml.lesson import learn_risk
from ml.models.ensemble import Ensemble
from ml.prediction import predict

# What serves by default.
KIND = Ensemble.kind


@dataclass(frozen=True)
class Known:
    """By machine the curve from now on, or why there is none."""

    curves: list[Curve | None]
    unknown: list[str]


def learn(seen: Seen, seed: int = 0) -> Saved:
    """As the train job does, with the defaults as they ship."""
    until = datetime.fromtimestamp(seen.now, UTC)
    lesson = learn_risk(seen.history(whole=True), until, HORIZONS_HOURS, seed)
    fitted = next(each.fitted for each in lesson.learnt if each.fitted.kind == KIND)
    return Saved(0, fitted, lesson.features, lesson.horizons_hours, lesson.modes, HOUR, until)


def know(saved: Saved, seen: Seen) -> Known:
    """As the score job does, of every machine now."""
    everyone = np.arange(len(seen.machines))
    moments = Moments(everyone, np.full(len(everyone), seen.now))
    history = saved.fitted.looked_at(seen.history())
    said = predict(saved, history, moments, Settings().silent_after)
    curves = [
        curve_of(saved.horizons_hours, risk.tolist()) if reason is None else None
        for risk, reason in zip(said.risk, said.trust.reason, strict=True)
    ]
    return Known(curves, [reason or "" for reason in said.trust.reason])
