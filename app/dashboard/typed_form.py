"""From typed text in the reader's zone to what the REST endpoint takes, or one sentence on what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import BadInput

# No place on earth is further from UTC.
MOST_OFFSET_MINUTES = 14 * 60

Schema = TypeVar("Schema", bound=BaseModel)


def read_form(
    schema: type[Schema], form: Mapping[str, str], words: Mapping[str, str], times: Collection[str]
) -> Schema:
    """What is left empty was not said. `words` name fields as the form does. Raises BadInput with one sentence.

    Times are in UTC, unless the form tells the reader's offset at each: between two of them clocks may change.
    """
    given: dict[str, object] = {
        name: form[name].strip() for name in schema.model_fields if form.get(name, "").strip()
    }
    for name in [name for name in given if name in times]:
        zone = _zone(form.get(f"{name}_utc_offset_minutes", "0"))
        given[name] = _moment(_word(name, words), str(given[name]), zone)
    if str(given.get("version", "")).isascii() and str(given.get("version", "")).isdigit():
        given["version"] = int(str(given["version"])[:10])
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "form"
        said = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{_word(field, words).capitalize()}: {said}.") from error


def _word(field: str, words: Mapping[str, str]) -> str:
    return words.get(field, field.replace("_", " "))


def _zone(minutes: str) -> timezone:
    try:
        offset = int(minutes)
    except ValueError:
        return UTC
    return timezone(timedelta(minutes=max(-MOST_OFFSET_MINUTES, min(MOST_OFFSET_MINUTES, offset))))


def _moment(word: str, text: str, zone: timezone) -> datetime:
    try:
        return datetime.fromisoformat(text[:40]).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{word.capitalize()}: write a day and a time.") from error
