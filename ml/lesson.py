"""What a history teaches: models of the risk where failures are recorded, else what machines were like at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from ml.calibration import Calibration
from ml.dataset import training_moments
from ml.endings import Flags
from ml.failures import UNNAMED, TooFewFailures
from ml.features.builder import build
from ml.features.catalogue import Feature, catalogue_for
from ml.features.conditions import learn_conditions
from ml.features.history import Features, Floats, History, Moments
from ml.fitted import FittedModel
from ml.labels import label
from ml.learning import Learnt, learn, refuse_too_few
from ml.models.base import Outcomes, Progress, part_of, silent
from ml.models.condition_only import ConditionOnly
from ml.models.registry import BASELINES, DEFAULT_KINDS
from ml.past_failures import PastFailures
from ml.reference import Reference
from ml.searching import Found, search
from ml.split import Split, rows_learnt_from, split

# Share of the progress bar for a search, which is asked for in minutes.
SEARCHING = 0.5


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
    history: History,
    until: datetime,
    horizons_hours: Sequence[float],
    seed: int,
    progress: Progress = silent,
    search_seconds: float = 0.0,
) -> Lesson:
    """History -> moments -> features -> models, with settings searched for so long before.

    Raises BadInput or TooFewFailures, in one sentence.
    """
    moments, outcomes = training_moments(history, until, horizons_hours, seed)
    cut = split(moments, outcomes, seed=seed)
    outcomes, cut = _seen_through(outcomes, cut)
    progress(0.0, "features")
    conditions = learn_conditions(history, rows_learnt_from(history, moments, cut), seed)
    features = catalogue_for(history.events, history.channels, history.bucket_seconds)
    seen = conditions.apply(history) if conditions else history
    built = build(seen, moments, features)
    past_failures = PastFailures.learn(seen, moments, outcomes, features, seed)
    searched = SEARCHING if search_seconds > 0 else 0.04
    found = _searched(built, cut, seed, search_seconds, part_of(progress, 0.04, searched))
    learnt = learn(
        built,
        outcomes,
        cut,
        kinds=(*BASELINES, *DEFAULT_KINDS),
        settings={kind: each.settings for kind, each in found.items()},
        seed=seed,
        conditions=conditions,
        past_failures=past_failures,
        progress=part_of(progress, searched, 1.0),
    )
    for each in learnt:
        if each.fitted.kind in found:
            each.card["search"] = asdict(found[each.fitted.kind]) | {"words": found[each.fitted.kind].words}
    rows = np.concatenate([cut.learning, cut.judging])
    rows_seen, weight = built.take(rows), outcomes.weight[rows]
    return Lesson(
        [_with_reference(each, history, rows_seen, weight) for each in learnt],
        features,
        outcomes.horizons_hours,
        outcomes.modes,
        moments.take(cut.judging),
        cut.outcomes.take(cut.judging),
    )


def _seen_through(outcomes: Outcomes, cut: Split) -> tuple[Outcomes, Split]:
    """Without the horizons up to which, before the judged time, no machine was watched.

    Of them nothing could be learnt but failures. Raises TooFewFailures where that leaves none.
    """
    known = cut.outcomes.take(cut.learning)
    every = len(known.horizons_hours)
    count = next((k for k in range(every) if not _watched_through(known, k)), every)
    if count == every:
        return outcomes, cut
    left_out = [f"{hours:g} h" for hours in outcomes.horizons_hours[count:]]
    if not count:
        raise TooFewFailures(f"The history is too short: no machine was watched for {left_out[0]}.")
    words = f"{cut.words}; nothing is said of {', '.join(left_out)}, since no machine was watched so long before"
    return outcomes.within(count), replace(cut, outcomes=cut.outcomes.within(count), words=words)


def _watched_through(known: Outcomes, k: int) -> bool:
    """Somebody was seen alive in interval k, or all had failed by its end, as where machines run to failure."""
    left = known.interval > k
    return bool((left & (known.exposure[:, k] > 0)).any() or not left.any())


def _with_reference(learnt: Learnt, history: History, seen: Features, weight: Floats) -> Learnt:
    """`seen` are the learning rows and then the judged ones; the risks of neither were told in sample."""
    risk = np.concatenate([learnt.left_out_risk, learnt.judged_risk])
    return replace(learnt, fitted=replace(learnt.fitted, reference=Reference.learn(history, seen, weight, risk)))


def _searched(built: Features, cut: Split, seed: int, seconds: float, progress: Progress) -> dict[str, Found]:
    """On the rows that are learnt from, as the cut tells them."""
    if not seconds:
        return {}
    known = cut.outcomes.take(cut.learning)
    refuse_too_few(known)
    return search(built.take(cut.learning), known, seconds, seed, progress)


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
    nothing = np.zeros((0, len(horizons_hours)))
    learnt = Learnt(fitted, card, nothing, nothing)
    return Lesson([learnt], (), tuple(horizons_hours), (UNNAMED,), nobody, became)
