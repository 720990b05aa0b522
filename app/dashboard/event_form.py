"""The form that records an event."""

from __future__ import annotations

from collections.abc import Mapping

from app.dashboard.context import EventForm
from app.dashboard.typed_form import read_form
from app.fleet.schemas import EventIn

FIELDS = ("kind", "code", "component", "started_at", "ended_at", "note")
WORDS = {"started_at": "began", "ended_at": "ended", "code": "mode, kind or code", "kind": "what"}
TIMES = frozenset({"started_at", "ended_at"})


def typed(form: Mapping[str, str], wrong: str) -> EventForm:
    """The form again, as it was filled in."""
    return EventForm(**{name: form.get(name, "")[:1000] for name in FIELDS}, wrong=wrong)


def event_of(form: Mapping[str, str]) -> EventIn:
    """Raises BadInput with one sentence."""
    return read_form(EventIn, form, WORDS, TIMES)
