"""What a history teaches: models of the risk where failures are recorded, else what machines were like at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ml.calibration import Calibration
from ml.dataset import training_moments
from ml.endings import Flags
from ml.failures import UNNAMED
from ml.features.builder import build
from ml.features.catalogue import Feature, catalogue_for
from ml.features.conditions import learn_conditions
from ml.features.history import History, Moments
from ml.fitted import FittedModel
from ml.labels import label
from ml.learning import Learnt, learn
from ml.models.base import Outcomes, Progress, part_of, silent
from ml.models.condition_only import ConditionOnly
from ml.models.registry import BASELINES, DEFAULT_KINDS
from ml.split import rows_learnt_from, split


@dataclass(frozen=True)
class Lesson:
    """`learnt` models, all of them built on `features` and speaking of these horizons and failure modes.

    `judged` and `became` are the moments their cards judge, and what became of them.
    """

    learnt: list[Learnt]
    features: tuple[Feature, ...]
    horizons_hours: tuple[float, ...]
    modes: tuple[str, ...]
    judged: Moments
    became: Outcomes


def learn_risk(
    history: History, until: datetime, horizons_hours: Sequence[float], seed: int, progress: Progress = silent
) -> Lesson:
    """History -> moments -> features -> models. Raises BadInput or TooFewFailures, in one sentence."""
    moments, outcomes = training_moments(history, until, horizons_hours, seed)
    cut = split(moments, outcomes, seed=seed)
    progress(0.0, "features")
    conditions = learn_conditions(history, rows_learnt_from(history, moments, cut), seed)
    features = catalogue_for(history.events, history.channels, history.bucket_seconds)
    learnt = learn(
        build(conditions.apply(history) if conditions else history, moments, features),
        outcomes,
        cut,
        kinds=(*BASELINES, *DEFAULT_KINDS),
        seed=seed,
        conditions=conditions,
        progress=part_of(progress, 0.04, 1.0),
    )
    judging = cut.parts[-1]
    return Lesson(
        learnt,
        features,
        outcomes.horizons_hours,
        outcomes.modes,
        moments.take(judging),
        cut.outcomes.take(judging),
    )


def know_normal(history: History, rows: Flags, horizons_hours: Sequence[float], seed: int, reason: str) -> Lesson:
    """The model that needs no failure, from these rows; `reason` says why there is none that knows the risk."""
    conditions = learn_conditions(history, rows, seed)
    model = ConditionOnly(len(horizons_hours), f"no risk yet: {reason[0].lower()}{reason[1:].rstrip('.')}")
    fitted = FittedModel(model, Calibration.identity(len(horizons_hours)), None, conditions)
    card: dict[str, Any] = {
        "kind": model.kind,
        "seed": seed,
        "conditions": len(conditions.centres) if conditions else 1,
        "horizons": [],
        "beats_baselines": False,
        "verdict": f"{reason} Until then the anomaly score tells how far each machine is from its own normal.",
    }
    nobody = Moments(np.zeros(0, np.int64), np.zeros(0, np.int64))
    became = label(history, nobody, horizons_hours, (UNNAMED,))
    learnt = Learnt(fitted, card, np.zeros((0, len(horizons_hours))))
    return Lesson([learnt], (), tuple(horizons_hours), (UNNAMED,), nobody, became)
