"""Forms of work orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from app.dashboard.typed_form import read_form
from app.dashboard.work_context import Typed

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
    """Raises BadInput with one sentence."""
    return read_form(schema, form, WORDS, TIMES)


def typed(name: str, form: Mapping[str, str], wrong: str) -> Typed:
    """The form again, as it was filled in."""
    return Typed(name, {key: value[:LONGEST_TYPED] for key, value in form.items()}, wrong)
