"""Which model of a run may serve: each is held against the one that serves, on time neither has learnt from."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.errors import BadInput
from app.risk.store import champion
from app.settings import Settings
from ml.artefacts import Saved
from ml.features.history import History
from ml.gate import Serving, gate
from ml.jobs.champion import load_speaking
from ml.lesson import Lesson
from ml.manifest import Outdated, Untrusted
from ml.models.condition_only import ConditionOnly
from ml.prediction import predict

# Who serves when several pass. Fixed beforehand: choosing by the card would tune on judged rows.
PREFERRED = ("ensemble", "random_forest", "boosting", "lstm")


def choose(session: Session, settings: Settings, lesson: Lesson, history: History) -> tuple[str | None, str]:
    """(the first kind that passes the gate, None where none does; what is to be said). The cards get its words."""
    learnt = {each.fitted.kind: each for each in lesson.learnt}
    current = speaking(session, settings)
    if ConditionOnly.kind in learnt:
        # One that knows no risk takes nobody's place who does, and can still be asked.
        knows_risk = isinstance(current, Saved) and current.fitted.kind != ConditionOnly.kind
        return None if knows_risk else ConditionOnly.kind, str(learnt[ConditionOnly.kind].card["verdict"])
    uncompared = f" Not compared with the model that serves. {current}" if isinstance(current, str) else ""
    serving = _asked(settings, current, lesson, history) if isinstance(current, Saved) else None
    costs = settings.preventive_cost, settings.failure_cost
    verdicts = {
        kind: gate(learnt[kind].card, learnt[kind].judged_risk, lesson.judged, lesson.became, serving, *costs)
        for kind in PREFERRED
        if kind in learnt
    }
    passed = next((kind for kind, each in verdicts.items() if each.passed), None)
    words = {kind: each.words + (uncompared if each.passed else "") for kind, each in verdicts.items()}
    for kind, each in verdicts.items():
        learnt[kind].card["gate"] = {"passed": each.passed, "words": words[kind]}
    return passed, words[passed or next(iter(words))]


def speaking(session: Session, settings: Settings) -> Saved | str | None:
    """The model that serves, or why it cannot be asked any more, as after an upgrade; None where none serves."""
    current = champion(session)
    if current is None:
        return None
    try:
        return load_speaking(session, settings, current.id)
    except (Untrusted, Outdated, BadInput) as error:
        return error.detail


def _asked(settings: Settings, current: Saved, lesson: Lesson, history: History) -> Serving | None:
    """What it says of the judged moments; None where it knows no risk."""
    if current.fitted.kind == ConditionOnly.kind:
        return None
    risk = predict(current, current.fitted.looked_at(history), lesson.judged, settings.silent_after).risk
    return Serving(current.id, current.horizons_hours, risk, int(current.trained_until.timestamp()))
