"""SQL for trainings: how many failed in a row, when and why the last one, and whether one is under way."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.jobs.back_off import wait_after
from app.jobs.tables import TrainingFailure
from app.risk.tables import Model

LONGEST_REASON = 500
UNDER_WAY = text("""
    SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = 'train' AND status IN ('todo', 'doing'))
""")


class FailedTrainings(NamedTuple):
    """Failures since the newest model; `reason` of the last one."""

    in_a_row: int
    last_at: datetime
    reason: str

    @property
    def next_at(self) -> datetime:
        """Before this time the worker does not try again by itself."""
        return self.last_at + wait_after(self.in_a_row)


def failed_trainings(session: Session) -> FailedTrainings | None:
    """None where the last training went well, or none was tried."""
    newest_model = select(func.coalesce(func.max(Model.created_at), text("'-infinity'"))).scalar_subquery()
    since = TrainingFailure.failed_at > newest_model
    last = session.scalar(select(TrainingFailure).where(since).order_by(TrainingFailure.failed_at.desc()).limit(1))
    if last is None:
        return None
    count = session.scalar(select(func.count()).select_from(TrainingFailure).where(since)) or 0
    return FailedTrainings(count, last.failed_at, last.reason)


def note_failed_training(session: Session, job_id: int, reason: str) -> None:
    said = {"job_id": job_id, "reason": reason[:LONGEST_REASON], "failed_at": func.now()}
    noted = insert(TrainingFailure).values(said)
    session.execute(noted.on_conflict_do_update(index_elements=["job_id"], set_=said))


def training_under_way(session: Session) -> bool:
    """Whether one waits or runs: a second would learn the same once more."""
    return bool(session.scalar(UNDER_WAY))
