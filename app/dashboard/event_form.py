"""The form that records an event: from typed text in the reader's zone to an event, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from pydantic import ValidationError

from app.dashboard.context import EventForm
from app.errors import BadInput
from app.fleet.schemas import EventIn

# No place on earth is further from UTC.
MOST_OFFSET_MINUTES = 14 * 60
FIELDS = ("kind", "code", "component", "started_at", "ended_at", "note")
WORDS = {"started_at": "began", "ended_at": "ended", "code": "mode, kind or code", "kind": "what"}


def typed(form: Mapping[str, str], wrong: str) -> EventForm:
    """The form again, as it was filled in."""
    return EventForm(**{name: form.get(name, "")[:1000] for name in FIELDS}, wrong=wrong)


def event_of(form: Mapping[str, str]) -> EventIn:
    """Raises BadInput with one sentence."""
    zone = zone_of(form.get("utc_offset_minutes", "0"))
    given: dict[str, object] = {name: form[name].strip() for name in FIELDS if form.get(name, "").strip()}
    for name in ("started_at", "ended_at"):
        if name in given:
            given[name] = moment_of(WORDS[name], str(given[name]), zone)
    try:
        return EventIn.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "event"
        raise BadInput(f"{WORDS.get(field, field).capitalize()}: {first['msg']}.") from error


def zone_of(minutes: str) -> timezone:
    try:
        offset = int(minutes)
    except ValueError:
        return UTC
    return timezone(timedelta(minutes=max(-MOST_OFFSET_MINUTES, min(MOST_OFFSET_MINUTES, offset))))


def moment_of(word: str, text: str, zone: timezone) -> datetime:
    """Raises BadInput, naming the time by `word`."""
    try:
        return datetime.fromisoformat(text[:40]).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{word.capitalize()}: write a day and a time.") from error
