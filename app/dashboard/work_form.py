"""Forms of work orders: from typed text in the reader's zone to what the REST endpoint takes, or what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from app.dashboard.event_form import moment_of, zone_of
from app.dashboard.work_context import Typed
from app.errors import BadInput

LONGEST_TYPED = 5000
WORDS = {
    "start": "from",
    "end": "to",
    "started_at": "began",
    "ended_at": "ended",
    "failed_at": "failed at",
    "due_at": "due by",
    "outcome": "what was found",
}
TIMES = frozenset(WORDS) - {"outcome"}

Schema = TypeVar("Schema", bound=BaseModel)


def read(schema: type[Schema], form: Mapping[str, str]) -> Schema:
    """What is left empty was not said. Raises BadInput with one sentence."""
    zone = zone_of(form.get("utc_offset_minutes", "0"))
    given: dict[str, object] = {
        name: form[name].strip() for name in schema.model_fields if form.get(name, "").strip()
    }
    for name in TIMES & given.keys():
        given[name] = moment_of(_word(name), str(given[name]), zone)
    if str(given.get("version", "")).isascii() and str(given.get("version", "")).isdigit():
        given["version"] = int(str(given["version"])[:10])
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "form"
        said = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{_word(field).capitalize()}: {said}.") from error


def typed(name: str, form: Mapping[str, str], wrong: str) -> Typed:
    """The form again, as it was filled in."""
    return Typed(name, {key: value[:LONGEST_TYPED] for key, value in form.items()}, wrong)


def _word(field: str) -> str:
    return WORDS.get(field, field.replace("_", " "))
