"""SQL for what-ifs: asked as a job, answered by the worker under the job's number."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.announce import announce
from app.database import Bind
from app.errors import BadInput, NotFound, TooBusy
from app.fleet.store import machine_ids
from app.jobs.store import open_queue
from app.jobs.tables import WhatIf
from app.planning import resource_store
from app.planning.resource_rule import fault_of_resources
from app.planning.what_if_schemas import WhatIfIn

KEPT = 100
# Each takes the worker some seconds; who asks for more at once is told to wait.
MOST_WAITING = 10
WAITING = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'what_if' AND status = 'todo'")
STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :id AND task_name = 'what_if'")
UNDER_WAY = ("todo", "doing")


def ask_what_if(session: Session, bind: Bind, question: WhatIfIn, now: datetime) -> int:
    """The job's number. Raises BadInput for what cannot be asked, and TooBusy where many wait already."""
    unknown = question.machines - machine_ids(session, sorted(question.machines)).keys()
    if unknown:
        raise BadInput(f"There is no machine {min(unknown)}.")
    wanted = question.with_crews(resource_store.resources(session).ahead(now))
    named, lines = question.resources.model_fields_set, resource_store.known_lines(session)
    fault = fault_of_resources(wanted, named, lines, now)
    if fault is not None:
        raise BadInput(fault)
    if (session.scalar(WAITING) or 0) >= MOST_WAITING:
        raise TooBusy(f"{MOST_WAITING} questions wait for the worker already.", retry_after=10)
    with open_queue(bind) as queue:
        task = queue.configure_task("what_if", lock="what_if")
        return task.defer(question=question.model_dump(mode="json", exclude_unset=True))


def keep_answer(session: Session, job_id: int, answer: dict[str, object] | None, fault: str | None) -> None:
    """A job that was taken up again answers once more; the newest KEPT stay."""
    said = {"job_id": job_id, "answer": answer, "fault": fault, "answered_at": func.now()}
    session.execute(insert(WhatIf).values(said).on_conflict_do_update(index_elements=["job_id"], set_=said))
    kept = select(WhatIf.job_id).order_by(WhatIf.job_id.desc()).limit(KEPT)
    session.execute(delete(WhatIf).where(WhatIf.job_id.not_in(kept)))
    announce(session, "what_if")


def answer_of(session: Session, job_id: int) -> WhatIf | None:
    """None while it waits or is worked at. Raises NotFound where there is no such question, or no longer."""
    found = session.get(WhatIf, job_id)
    if found is None:
        status = session.scalar(STATUS, {"id": job_id})
        if status is None:
            raise NotFound(f"There is no what-if {job_id}, or it was asked too long ago.")
        if status not in UNDER_WAY:
            return WhatIf(job_id=job_id, answer=None, fault="The worker failed at it; its log says why.")
    return found
