"""The monitor job: does the plant still look like what a model learnt from, and what came true of what it said?

It asks for a training; it starts none.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from app.database import session_scope
from app.ingest.rollup import roll_up_all
from app.risk.tables import Model, ModelReport, Prediction
from app.settings import Settings
from app.terminal import plain_table
from ml.artefacts import Saved
from ml.dataset import Plant, read_plant, read_rollups
from ml.drift import FEWEST_MACHINES, MANY, Comparison, Drift, compare
from ml.endings import in_use
from ml.evaluation import evaluate
from ml.features.history import History, Moments
from ml.features.words import channel_unit, channel_words
from ml.figures import said_and_seen
from ml.gate import miscalibrated
from ml.jobs.champion import load_speaking
from ml.jobs.moment import floor_to_bucket
from ml.labels import label
from ml.models.base import Floats, Progress, silent
from ml.prediction import predict
from ml.reason_words import number
from ml.reference import BLOCK_BUCKETS, recent_blocks, spread

# Fewer failures tell nothing about how well they were foreseen.
FEWEST_FAILURES = 5
# Stored predictions that are judged; of more, those of every other hour, every third and so on.
MOST_JUDGED = 50_000
SAID = text(
    """
    SELECT machine_id, extract(epoch FROM as_of)::bigint, probabilities FROM predictions
    WHERE model_id = :model_id AND probabilities IS NOT NULL AND not_enough_data IS NULL AND as_of > :learnt_until
        AND extract(epoch FROM as_of)::bigint / :width % :every = 0
    ORDER BY machine_id, as_of
    """
)


@dataclass(frozen=True)
class Report:
    model_id: int
    asks_for_training: bool
    body: dict[str, Any]


def monitor(
    engine: Engine,
    settings: Settings,
    model_id: int | None = None,
    as_of: datetime | None = None,
    progress: Progress = silent,
) -> Report:
    """A stored report on the model `model_id`, else the champion. Raises NotFound without any model."""
    as_of = floor_to_bucket(as_of or datetime.now(UTC), settings)
    roll_up_all(engine, settings, lambda share: progress(0.3 * share, "roll-ups"), until=as_of)
    with session_scope(engine) as session:
        saved = load_speaking(session, settings, model_id)
        progress(0.3, "reading history")
        plant = read_plant(session, settings, until=as_of)
        history = saved.fitted.looked_at(plant.history(read_rollups(session, settings, plant)))
        progress(0.6, "inputs and scores")
        drift = _drift(saved, history, as_of, settings)
        progress(0.7, "what came true")
        realised = _realised(session, saved, history, plant, settings)
        report = _report(saved, drift, realised, len(plant.machines))
        session.add(
            ModelReport(
                model_id=saved.id, as_of=as_of, asks_for_training=report.asks_for_training, body=report.body
            )
        )
    progress(1.0, "reported")
    return report


def _drift(saved: Saved, history: History, as_of: datetime, settings: Settings) -> Drift | None:
    """None where the model was kept without a sample of what it learnt from."""
    reference = saved.fitted.reference
    if reference is None:
        return None
    predicted = predict(saved, history, _recent(history, as_of), settings.silent_after)
    return compare(reference, recent_blocks(history, predicted.features, predicted.risk, reference.channels))


def _recent(history: History, as_of: datetime) -> Moments:
    """A few moments of each machine in use, as many and as far apart as those of a block that was learnt from."""
    seconds = BLOCK_BUCKETS * history.bucket_seconds
    every = Moments(history.machine, (history.bucket + 1) * history.bucket_seconds)
    every = every.take(every.as_of > int(as_of.timestamp()) - seconds)
    every = every.take(in_use(history, every))
    rows, _, _ = spread(every, np.ones(len(every)), seconds)
    return every.take(rows.ravel())


def _realised(session: Session, saved: Saved, history: History, plant: Plant, settings: Settings) -> dict[str, Any]:
    """Figures of the stored predictions whose outcome is known by now, by horizon, in the form of the card's."""
    # What somebody scored for a time that the model had learnt from is no promise that could come true.
    own = Prediction.model_id == saved.id, Prediction.as_of > saved.trained_until
    believed = func.count(Prediction.probabilities).filter(Prediction.not_enough_data.is_(None))
    stored, told = session.execute(select(func.count(), believed).where(*own)).one()
    every = max(-(-told // MOST_JUDGED), 1)
    asked = {"model_id": saved.id, "learnt_until": saved.trained_until}
    rows = session.execute(SAID, asked | {"width": settings.bucket_seconds, "every": every}).all()
    counts = {"predictions": stored, "without_risk": stored - told, "one_in": every}
    if not rows:
        return counts | {"horizons": []}
    moments = Moments(plant.places([row[0] for row in rows]), np.array([row[1] for row in rows], np.int64))
    risk: Floats = np.array([row[2] for row in rows], float)
    outcomes = label(history, moments, saved.horizons_hours, saved.modes)
    card: dict[str, Any] = session.get_one(Model, saved.id).card
    limits = [each["threshold"] for each in card["horizons"]]
    figures = evaluate({"model": risk}, {"model": limits}, moments, outcomes, seed=0)["horizons"]
    horizons = []
    for each, promised in zip(figures, card["horizons"], strict=True):
        said, seen = said_and_seen(each["reliability"])
        horizons.append(each | {"said": said, "came_true": seen, "card": promised["model"]})
    return counts | {"horizons": horizons}


def _report(saved: Saved, drift: Drift | None, realised: dict[str, Any], machines: int) -> Report:
    told = [each for each in realised["horizons"] if each["failures"] >= FEWEST_FAILURES]
    off = miscalibrated([each for each in realised["horizons"] if not 0 < each["failures"] < FEWEST_FAILURES])
    moved = drift.moved if drift else []
    words = [_moved_words(name, drift.channels[name]) for name in moved] if drift else []
    risks = _risk_words(saved, drift) if drift else []
    asks = bool(words or off)
    if asks:
        verdict = f"Training again is advised: {'; '.join([*words, *risks, *([off] if off else [])])}."
    elif risks:
        # Machines wear together, a few of them often enough: that is what risks are for.
        verdict = (
            f"{risks[0].capitalize()}, but no channel has moved: look at the machines. What came true will tell."
        )
    elif saved.fitted.says_nothing:
        verdict = f"It serves no risk that could be held against anything: {saved.fitted.says_nothing}."
    elif drift is None:
        verdict = "This model was kept without a sample of what it learnt from: train again to have one."
    elif drift.known < FEWEST_MACHINES:
        verdict = f"Too few machines that it learnt from to tell: {drift.known}, {FEWEST_MACHINES} are needed."
    else:
        verdict = f"Nothing has moved by more than chance explains, on {drift.known} machines that it learnt from."
    if not told:
        most = max((each["failures"] for each in realised["horizons"]), default=0)
        failures = "1 failure" if most == 1 else f"{most} failures"
        verdict += f" {failures} since it serves: at least {FEWEST_FAILURES} are needed to judge what it said."
    body = {
        "verdict": verdict,
        "machines": machines,
        "channels": {
            name: asdict(each) | {"unit": channel_unit(name), "words": channel_words(name)}
            for name, each in (drift.channels.items() if drift else ())
        },
        "risks": [
            {"hours": hours} | asdict(each)
            for hours, each in zip(saved.horizons_hours, drift.risks if drift else (), strict=False)
        ],
        "moved": moved,
        "realised": realised,
        "fewest_failures": FEWEST_FAILURES,
        "many": MANY,
    }
    return Report(saved.id, asks, body)


def _risk_words(saved: Saved, drift: Drift) -> list[str]:
    """Of the horizon whose mean risk moved farthest."""
    far = {
        hours: each.ratio
        for hours, each in zip(saved.horizons_hours, drift.risks, strict=True)
        if each.moved and each.ratio
    }
    if not far:
        return []
    hours = max(far, key=lambda each: abs(math.log(far[each])))
    return [f"its risks within {hours:g} h are {far[hours]:.1f} times those in learning"]


def table(report: Report) -> RenderableType:
    """Inputs and scores then and now, and what came true, for the terminal."""
    moved = plain_table("value", "learnt from", "now", "machines", "PSI", "")
    for name, each in report.body["channels"].items():
        moved.add_row(name, *_cells(each), "moved" if name in report.body["moved"] else "")
    for each in report.body["risks"]:
        moved.add_row(f"risk within {each['hours']:g} h", *_cells(each), "moved" if each["moved"] else "")
    came = plain_table("horizon", "failures", "said", "came true", "caught", "Brier", "in the card")
    for each in report.body["realised"]["horizons"]:
        own, failures = each["model"], each["failures"]
        told = ["-"] * 4
        if failures >= report.body["fewest_failures"]:
            caught = f"{own['failures_caught']} of {own['failures']}"
            told = [f"{each['said']:.2%}", f"{each['came_true']:.2%}", caught, _figure(own["brier"])]
        came.add_row(f"{each['hours']:g} h", str(failures), *told, _figure(each["card"]["brier"]))
    return Group(moved, came)


def _cells(found: dict[str, Any]) -> list[str]:
    ranges = [
        "-" if each is None else f"{number(each[1])} ({number(each[0])} to {number(each[2])})"
        for each in (found["then"], found["now"])
    ]
    return [*ranges, str(found["machines"]), _figure(found["psi"])]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _moved_words(channel: str, found: Comparison) -> str:
    said, unit = channel_words(channel), channel_unit(channel)
    unit = unit and f" {unit}"
    if found.gone:
        return f"{said} is missing from {found.unknown:.0%} of the machines, many more than in learning"
    if found.then is None or found.now is None:
        return f"{said} is not what it was"
    if found.outside > MANY and not found.moved:
        return f"{found.outside:.0%} of the machines show {said} outside all that was learnt from"
    now, then = number(found.now[1]), number(found.then[1])
    if now == then:
        return f"{said} is not where it was above the beginnings of {found.machines} machines"
    return f"{said} is {now}{unit} in the middle of {found.machines} machines and was {then}"
