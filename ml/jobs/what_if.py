"""The what-if job: today's plan and the one that a question asks for, sought side by side with the same effort."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from app.database import session_scope
from app.errors import WearwatchError
from app.jobs.what_ifs import keep_answer
from app.orders.store import agreed_work
from app.planning.actions import Fleet, fleet_to_plan
from app.planning.what_if import compared, otherwise
from app.planning.what_if_schemas import WhatIfIn
from app.settings import Settings
from ml.planning.apart import Scheduling, schedule_apart

# Of the ten in which people wait for an answer; reading, two processes' beginning and the words take the rest.
SECONDS = 3.0


def what_if(
    engine: Engine,
    settings: Settings,
    job_id: int,
    question: dict[str, Any],
    now: datetime | None = None,
    scheduling: Scheduling = schedule_apart,
) -> None:
    """Keeps the answer, or the sentence why there is none, under the job's number."""
    with session_scope(engine) as session:
        fleet = fleet_to_plan(session, settings, now or datetime.now(UTC), agreed_work(session))
    try:
        answer, fault = _answer(fleet, WhatIfIn.model_validate(question), scheduling), None
    except WearwatchError as error:
        answer, fault = None, error.detail
    with session_scope(engine) as session:
        keep_answer(session, job_id, answer, fault)


def _answer(fleet: Fleet, question: WhatIfIn, scheduling: Scheduling) -> dict[str, object]:
    asked = otherwise(fleet.candidates, fleet.kept_to.resources, fleet.terms, question)
    with ThreadPoolExecutor(2) as both:
        before = both.submit(scheduling, fleet.asked().problem, SECONDS)
        then = both.submit(scheduling, asked.problem, SECONDS)
        return compared(before.result(), asked, then.result())
