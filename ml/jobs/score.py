"""The score job: every machine's risk at one time by the model that serves, stored in one transaction; then by its
shadow, from the same history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import session_scope
from app.errors import NotFound
from app.ingest.rollup import roll_up_all
from app.risk import model_store
from app.risk.assess import nearest_to_status_horizon
from app.risk.prediction import NewPrediction
from app.risk.store import champion, store_predictions
from app.settings import Settings
from ml.alike import like_past_failure
from ml.artefacts import Saved
from ml.dataset import Plant, read_plant
from ml.explain import explain
from ml.features.history import Features, Floats, History, Ints
from ml.jobs.champion import load_speaking
from ml.jobs.due import note_scored, there_is
from ml.jobs.memory import Memory
from ml.jobs.moment import fleet_at, floor_to_bucket, refuse_future
from ml.models.base import Progress, part_of, silent
from ml.prediction import Predicted, predict
from ml.unlike import unlike_itself
from ml.usual import Usual, own_usual

log = structlog.get_logger()

# More than anybody reads in a day. Every machine of a plant of this size; of a larger one those that come first.
MOST_EXPLAINED = 200
# Scored at a time, so that work arrays stay small; what is kept between scorings is kept by such groups.
MACHINES_A_GROUP = 1000


@dataclass(frozen=True)
class Scored:
    """A group of machines: `ids` [n] of the machines that `predicted` speaks of."""

    group: int
    ids: Ints
    predicted: Predicted


def score(
    engine: Engine,
    settings: Settings,
    as_of: datetime | None,
    progress: Progress = silent,
    memory: Memory | None = None,
) -> int:
    """How many machines were scored. Raises NotFound while no model serves."""
    memory = memory or Memory.empty(settings)
    as_of = floor_to_bucket(as_of or datetime.now(UTC), settings)
    refuse_future(engine, settings, as_of)
    roll_up_all(engine, settings, lambda share: progress(0.4 * share, "roll-ups"), until=as_of)
    with session_scope(engine) as session:
        serving = champion(session)
        if serving is None:
            raise NotFound(
                "No model serves: run `wearwatch train`, or let one serve with `wearwatch models promote NUMBER`."
            )
        seen = there_is(session)
        plant = read_plant(session, settings, until=as_of)
        fleet = Fleet(session, settings, memory, plant, serving.id)
        scored = store_predictions(session, serving.id, fleet.said(part_of(progress, 0.4, 0.9)))
        note_scored(session, seen, serving.id, as_of)
    progress(0.9, "shadow")
    _score_shadow(engine, settings, memory, plant)
    progress(1.0, "scored")
    return scored


def _score_shadow(engine: Engine, settings: Settings, memory: Memory, plant: Plant) -> None:
    """Once the champion's score is committed, in a transaction of its own: whatever goes wrong here stays here."""
    try:
        with session_scope(engine) as session:
            shadow = model_store.shadow(session)
            if shadow is not None:
                store_predictions(session, shadow.id, Fleet(session, settings, memory, plant, shadow.id).said())
    except Exception as error:  # noqa: BLE001 - nothing of the champion's may fail with a model that nobody sees
        log.warning("the shadow was skipped", reason=str(error), kind=type(error).__name__)


class Fleet:
    """The plant group by group, as one model sees it."""

    def __init__(self, session: Session, settings: Settings, memory: Memory, plant: Plant, model_id: int) -> None:
        self.session, self.settings, self.memory, self.plant = session, settings, memory, plant
        self.saved = load_speaking(session, settings, model_id, memory.models.get(model_id))
        memory.keep(self.saved)
        ids = np.sort(plant.machines["id"].to_numpy(np.int64))
        group = ids // MACHINES_A_GROUP
        self.groups = {int(each): ids[group == each] for each in np.unique(group)}

    def said(self, progress: Progress = silent) -> Iterator[NewPrediction]:
        """Of every machine still in use, with its reasons."""
        scored = list(self.scored(part_of(progress, 0.0, 0.8)))
        progress(0.8, "reasons")
        why = self.reasons(scored)
        progress(0.98, "storing")
        for part, reasons in zip(scored, why, strict=True):
            yield from _rows(self.saved, part, reasons)

    def history(self, group: int) -> History:
        ids = self.groups[group].tolist()
        rollups = self.memory.rollups.read(
            self.session, self.settings, group, ids, self.plant.until, self.plant.channels
        )
        return self.saved.fitted.looked_at(self.plant.only(ids).history(rollups))

    def scored(self, progress: Progress) -> Iterator[Scored]:
        for done, (group, ids) in enumerate(self.groups.items()):
            progress(done / len(self.groups), "reading and predicting")
            history = self.history(group)
            moments = fleet_at(history, self.plant.until)
            predicted = predict(self.saved, history, moments, self.settings.silent_after, self.memory.normals)
            yield Scored(group, ids[moments.machine], predicted)

    def reasons(self, scored: Sequence[Scored]) -> list[list[list[dict[str, Any]]]]:
        """[parts][rows] why the riskiest stand where they do, what they are like, and who is unlike itself."""
        horizon = nearest_to_status_horizon(self.saved.horizons_hours)
        risk = [np.where(part.predicted.trust.believed, part.predicted.risk[:, horizon], -1.0) for part in scored]
        everyone = np.concatenate([np.zeros(0), *risk])
        chosen = np.zeros(len(everyone), bool)
        chosen[np.argsort(-everyone, kind="stable")[:MOST_EXPLAINED]] = True
        ends = np.cumsum([len(each) for each in risk])[:-1]
        return [
            self._reasons(part, np.flatnonzero(own & (said >= 0)), horizon)
            for part, own, said in zip(scored, np.split(chosen, ends), risk, strict=True)
        ]

    def _reasons(self, part: Scored, riskiest: Ints, horizon: int) -> list[list[dict[str, Any]]]:
        saved, predicted = self.saved, part.predicted
        why: dict[int, list[dict[str, Any]]] = {}
        if len(riskiest):
            history, now = self.history(part.group), predicted.features.take(riskiest)
            usual = own_usual(history, now.moments, saved.features)
            told = explain(saved.fitted.hazards, saved.features, now, usual, horizon, history.bucket_seconds)
            like = self._like(history, now, usual, predicted.by_mode[riskiest, horizon].argmax(axis=1))
            why = {row: [*each, *also] for row, each, also in zip(riskiest.tolist(), told, like, strict=True)}
        unlike = (unlike_itself(predicted.anomaly, row) for row in range(len(part.ids)))
        return [[*why.get(row, []), each] if each else why.get(row, []) for row, each in enumerate(unlike)]

    def _like(self, history: History, now: Features, usual: Usual, mode: Ints) -> list[list[dict[str, Any]]]:
        """For each moment the past failure of the mode that it is like, if any, as a reason."""
        past = self.saved.fitted.past_failures
        if past is None:
            return [[] for _ in range(len(now))]
        keys = history.machines["key"].to_numpy()[now.moments.machine].astype(np.str_)
        found = past.alike(now, usual, keys, mode, history.bucket_seconds)
        return [
            [like_past_failure(each, str(key), self.saved.modes)] if each else []
            for each, key in zip(found, keys, strict=True)
        ]


def _rows(saved: Saved, part: Scored, reasons: list[list[dict[str, Any]]]) -> Iterator[NewPrediction]:
    predicted = part.predicted
    low, high = predicted.band or (None, None)
    for row, machine_id in enumerate(part.ids.tolist()):
        usable = bool(predicted.trust.usable[row])
        yield NewPrediction(
            machine_id=machine_id,
            as_of=datetime.fromtimestamp(int(predicted.features.moments.as_of[row]), UTC),
            horizons_hours=saved.horizons_hours,
            probabilities=_along(predicted.risk, row) if usable else None,
            probabilities_low=_along(low, row) if usable else None,
            probabilities_high=_along(high, row) if usable else None,
            modes=_by_mode(saved.modes, predicted.by_mode[row]) if usable else {},
            remaining_life_low_hours=_at(predicted.life.low_hours, row),
            remaining_life_median_hours=_at(predicted.life.median_hours, row),
            remaining_life_high_hours=_at(predicted.life.high_hours, row),
            anomaly_score=_at(predicted.anomaly.score, row),
            coverage=float(predicted.trust.coverage[row]),
            reasons=reasons[row],
            not_enough_data=predicted.trust.reason[row],
        )


def _along(values: Floats | None, row: int) -> list[float] | None:
    return None if values is None else [float(each) for each in values[row]]


def _by_mode(modes: Sequence[str], risk: Floats) -> dict[str, list[float]]:
    """risk [K, M] -> mode: risk along the horizons."""
    return {mode: [float(each) for each in risk[:, m]] for m, mode in enumerate(modes)}


def _at(values: Floats, row: int) -> float | None:
    return float(values[row]) if np.isfinite(values[row]) else None
