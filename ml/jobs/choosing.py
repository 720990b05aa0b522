"""Which model of a run may serve: each is held against the one that serves, on time neither has learnt from."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.errors import BadInput
from app.risk.store import champion
from app.risk.tables import Model
from app.settings import Settings
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
    current = champion(session)
    knows_risk = current is not None and current.kind != ConditionOnly.kind
    if ConditionOnly.kind in learnt:
        # One that knows no risk takes nobody's place who does.
        return None if knows_risk else ConditionOnly.kind, str(learnt[ConditionOnly.kind].card["verdict"])
    asked = _asked(session, settings, current, lesson, history) if current is not None and knows_risk else None
    serving, uncompared = (None, f" {asked}") if isinstance(asked, str) else (asked, "")
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


def _asked(session: Session, settings: Settings, current: Model, lesson: Lesson, history: History) -> Serving | str:
    """The serving model on the judged moments, or why it cannot be asked any more, as after an upgrade."""
    try:
        saved = load_speaking(session, settings, current.id)
    except (Untrusted, Outdated, BadInput) as error:
        return f"Not compared with the model that serves. {error.detail}"
    risk = predict(saved, saved.fitted.looked_at(history), lesson.judged, settings.silent_after).risk
    return Serving(saved.id, saved.horizons_hours, risk, int(saved.trained_until.timestamp()))
