"""SQL for what-ifs: asked as a job, answered by the worker under the job's number."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.database import Bind
from app.errors import NotFound, TooBusy
from app.jobs.store import open_queue
from app.jobs.tables import WhatIf

KEPT = 100
# Each takes the worker some seconds; who asks for more at once is told to wait.
MOST_WAITING = 10
WAITING = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'what_if' AND status = 'todo'")
STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :id AND task_name = 'what_if'")
UNDER_WAY = ("todo", "doing")


def ask_what_if(session: Session, bind: Bind, question: dict[str, Any]) -> int:
    """The job's number. Raises TooBusy where many wait already."""
    if (session.scalar(WAITING) or 0) >= MOST_WAITING:
        raise TooBusy(f"{MOST_WAITING} questions wait for the worker already.", retry_after=10)
    with open_queue(bind) as queue:
        return queue.configure_task("what_if").defer(question=question)


def keep_answer(session: Session, job_id: int, answer: dict[str, object] | None, fault: str | None) -> None:
    """A job that was taken up again answers once more; the newest KEPT stay."""
    said = {"job_id": job_id, "answer": answer, "fault": fault, "answered_at": func.now()}
    session.execute(insert(WhatIf).values(said).on_conflict_do_update(index_elements=["job_id"], set_=said))
    kept = select(WhatIf.job_id).order_by(WhatIf.job_id.desc()).limit(KEPT)
    session.execute(delete(WhatIf).where(WhatIf.job_id.not_in(kept)))


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
