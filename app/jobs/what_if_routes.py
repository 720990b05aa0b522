"""`/api/v1/plan/what-if`: asked here, answered by the worker in some seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from app.clock import NowDep
from app.database import BindDep, SessionDep
from app.errors import BadInput
from app.fleet.store import machine_ids
from app.jobs.tables import WhatIf
from app.jobs.what_ifs import answer_of, ask_what_if
from app.planning import resource_store
from app.planning.resource_rule import fault_of_resources
from app.planning.what_if_schemas import WhatIfIn
from app.security.policy import Role, allow

router = APIRouter(prefix="/api/v1", tags=["plan"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Slot(BaseModel):
    start: datetime
    end: datetime
    crew: str
    window: str


class Change(BaseModel):
    """A machine that would have another slot or crew; null: no service."""

    machine: str
    before: Slot | None
    then: Slot | None
    reason: str


class WhatIfAnswer(BaseModel):
    """Expected costs until the plan's end, of a plan made now and of the one asked for; each could be cheaper by
    its gap."""

    model_config = ConfigDict(from_attributes=True)

    cost: float
    cost_then: float
    saving: float
    gap: float
    gap_then: float
    services: int
    services_then: int
    objections: list[str]
    assumptions: list[str]
    changes: list[Change]


class WhatIfOut(BaseModel):
    """`fault` says why there is no answer; while neither is there, ask again in a second."""

    id: int
    answer: WhatIfAnswer | None = None
    fault: str | None = None


@router.post("/plan/what-if", status_code=202, dependencies=[allow(Role.PLANNER)])
def ask(session: SessionDep, bind: BindDep, now: NowDep, question: WhatIfIn) -> WhatIfOut:
    """Another crew, a closed window, a machine now or never, other costs: what would the plan cost then?"""
    unknown = question.machines - machine_ids(session, sorted(question.machines)).keys()
    if unknown:
        raise BadInput(f"There is no machine {min(unknown)}.")
    wanted = question.with_crews(resource_store.resources(session).ahead(now))
    fault = fault_of_resources(wanted, resource_store.known_lines(session), now)
    if fault is not None:
        raise BadInput(fault)
    given = question.model_dump(mode="json", exclude_unset=True)
    return WhatIfOut(id=ask_what_if(session, bind, given))


@router.get("/plan/what-if/{number}", dependencies=[allow(Role.PLANNER)])
def get_answer(session: SessionDep, number: Number) -> WhatIfOut:
    """The answer once it is there."""
    found = answer_of(session, number)
    return WhatIfOut(id=number) if found is None else _out(found)


def _out(found: WhatIf) -> WhatIfOut:
    answer = None if found.answer is None else WhatIfAnswer.model_validate(found.answer)
    return WhatIfOut(id=found.job_id, answer=answer, fault=found.fault)
