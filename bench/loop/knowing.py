"""What the product knows of a plant: what it learnt on another plant's past, by its own features and models."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from app.fleet.event_rule import PREVENTIVE
from app.planning.renewed_lately import speaks_of_before
from app.risk.curve import Curve
from app.risk.reading_risk import curve_of
from app.settings import Settings
from bench.loop.seen import HOUR, Seen
from bench.taught import HORIZONS_HOURS
from ml.artefacts import Saved
from ml.features.catalogue import Feature
from ml.features.history import Moments
from ml.fitted import FittedModel
from ml.lesson import learn_risk
from ml.models.ensemble import Ensemble
from ml.prediction import predict

# What serves by default.
KIND = Ensemble.kind
SILENT_AFTER = Settings().silent_after


@dataclass(frozen=True)
class Known:
    """By machine the curve from now on, or why there is none."""

    curves: list[Curve | None]
    unknown: list[str]


@dataclass
class Learnt:
    """A lesson's model in the parts that the product keeps; each process that asks it opens them once."""

    parts: dict[str, bytes]
    features: tuple[Feature, ...]
    horizons_hours: tuple[float, ...]
    modes: tuple[str, ...]
    until: datetime
    _opened: Saved | None = field(default=None, init=False, repr=False, compare=False)

    def __call__(self, seen: Seen) -> Known:
        if self._opened is None:
            fitted = FittedModel.from_parts(KIND, self.parts)
            self._opened = Saved(0, fitted, self.features, self.horizons_hours, self.modes, HOUR, self.until)
        return _know(self._opened, seen)

    def __getstate__(self) -> dict[str, object]:
        """A network that was opened does not go from one process to another."""
        return vars(self) | {"_opened": None}


def learn(seen: Seen, seed: int = 0) -> Learnt:
    """As the train job does, with the defaults as they ship."""
    until = datetime.fromtimestamp(seen.now, UTC)
    lesson = learn_risk(seen.history(), until, HORIZONS_HOURS, seed)
    fitted = next(each.fitted for each in lesson.learnt if each.fitted.kind == KIND)
    return Learnt(fitted.parts(), lesson.features, lesson.horizons_hours, lesson.modes, until)


def _know(saved: Saved, seen: Seen) -> Known:
    """As the score job does, of every machine now."""
    everyone, until = np.arange(len(seen.machines)), datetime.fromtimestamp(seen.now, UTC)
    moments = Moments(everyone, np.full(len(everyone), seen.now))
    history = saved.fitted.looked_at(seen.history())
    said = predict(saved, history, moments, SILENT_AFTER)
    unknown = [
        reason or speaks_of_before(renewed, until, timedelta(seconds=HOUR)) or ""
        for reason, renewed in zip(said.trust.reason, _renewed_as_a_whole(seen), strict=True)
    ]
    curves = [
        None if reason else curve_of(saved.horizons_hours, risk.tolist())
        for risk, reason in zip(said.risk, unknown, strict=True)
    ]
    return Known(curves, unknown)


def _renewed_as_a_whole(seen: Seen) -> list[datetime | None]:
    """By machine when, as far as was told."""
    last: dict[int, int] = {}
    for each in seen.events():
        if (each.kind, each.code, each.component) == ("service", PREVENTIVE, None):
            last[each.machine] = max(last.get(each.machine, 0), each.started_at)
    return [
        datetime.fromtimestamp(last[number], UTC) if number in last else None
        for number in range(len(seen.machines))
    ]
