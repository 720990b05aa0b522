"""`/api/v1/plan/what-if`: asked here, answered by the worker in some seconds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from app.clock import NowDep
from app.database import BindDep, SessionDep
from app.jobs.tables import WhatIf
from app.jobs.what_if_schemas import WhatIfAnswer, WhatIfOut
from app.jobs.what_ifs import answer_of, ask_what_if
from app.planning.what_if_schemas import WhatIfIn
from app.security.policy import Role, allow

router = APIRouter(prefix="/api/v1", tags=["plan"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post("/plan/what-if", status_code=202, dependencies=[allow(Role.PLANNER)])
def ask(session: SessionDep, bind: BindDep, now: NowDep, question: WhatIfIn) -> WhatIfOut:
    """Another crew, a closed window, a machine now or never, other costs: what would the plan cost then?"""
    return WhatIfOut(id=ask_what_if(session, bind, question, now))


@router.get("/plan/what-if/{number}", dependencies=[allow(Role.PLANNER)])
def get_answer(session: SessionDep, number: Number) -> WhatIfOut:
    """The answer once it is there."""
    found = answer_of(session, number)
    return WhatIfOut(id=number) if found is None else _out(found)


def _out(found: WhatIf) -> WhatIfOut:
    answer = None if found.answer is None else WhatIfAnswer.model_validate(found.answer)
    return WhatIfOut(id=found.job_id, answer=answer, fault=found.fault)
