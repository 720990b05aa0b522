"""Forms of the plan page: work put where one wants it, and questions to the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from app.dashboard.typed_form import read_form
from app.errors import BadInput
from app.fleet.machine_key import MachineKey
from app.moment import Moment
from app.planning.resource_schemas import CrewIn
from app.planning.what_if_schemas import CostsIn, WhatIfIn
from app.text import Name, Note

WORDS = {
    "start": "from",
    "end": "to",
    "another_crew": "another crew like",
    "now": "service now",
    "never": "never service",
    "costs_of": "other costs of",
    "closed_window": "closed window",
}
TIMES = ("start", "end")

Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class PinForm(BaseModel):
    machine: MachineKey
    start: Moment
    end: Moment
    crew: Name | None = None
    why: Note | None = None


class WhatIfForm(BaseModel):
    another_crew: Name | None = None
    closed_window: Name | None = None
    now: MachineKey | None = None
    never: MachineKey | None = None
    costs_of: MachineKey | None = None
    failure_cost: Amount | None = None
    preventive_cost: Amount | None = None


def pin_of(form: Mapping[str, str]) -> PinForm:
    """Raises BadInput."""
    return read_form(PinForm, form, WORDS, TIMES)


def question_of(form: Mapping[str, str], crews: Sequence[CrewIn]) -> WhatIfIn:
    """Raises BadInput where nothing is asked, or half of something."""
    given = read_form(WhatIfForm, form, WORDS, ())
    costs = CostsIn(failure_cost=given.failure_cost, preventive_cost=given.preventive_cost)
    if (given.costs_of is None) != (costs == CostsIn()):
        raise BadInput("Other costs: name the machine and at least one cost.")
    asked = {
        "more_crews": [_another(given.another_crew, crews)] if given.another_crew else [],
        "closed_windows": [given.closed_window] if given.closed_window else [],
        "now": [given.now] if given.now else [],
        "never": [given.never] if given.never else [],
        "costs": {given.costs_of: costs} if given.costs_of else {},
    }
    if not any(asked.values()):
        raise BadInput("Say what should be otherwise: a crew, a window, a machine or its costs.")
    return WhatIfIn.model_validate({name: each for name, each in asked.items() if each})


def _another(key: str, crews: Sequence[CrewIn]) -> CrewIn:
    like = next((each for each in crews if each.key == key), None)
    if like is None:
        raise BadInput(f"There is no crew {key} whose hours are known.")
    names = {each.key for each in crews}
    name = next(name for number in range(2, len(names) + 3) if (name := f"{key} {number}"[-100:]) not in names)
    return like.model_copy(update={"key": name})


def week_of_form(text: str) -> date | None:
    """The day that an address or a form names; None where it names none of this age."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 3000 else None
