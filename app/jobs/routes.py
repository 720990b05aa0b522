"""`/api/v1/jobs`: what the worker has to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from app.database import BindDep, SessionDep
from app.jobs.schemas import JobIn, JobOut, JobsOut
from app.jobs.store import ask_for_training, list_jobs
from app.security.audit import audit
from app.security.policy import PrincipalDep, Role, allow

router = APIRouter(prefix="/api/v1", tags=["jobs"])


def _jobs(session: Session, most: int) -> JobsOut:
    return JobsOut(jobs=[JobOut.model_validate(dict(row)) for row in list_jobs(session, most)])


@router.get("/jobs", dependencies=[allow(Role.OPERATOR)])
def get_jobs(session: SessionDep, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> JobsOut:
    """Jobs that wait, run or failed, newest first."""
    return _jobs(session, limit)


@router.post("/jobs", status_code=202, dependencies=[allow(Role.ADMIN)])
def post_job(job: JobIn, bind: BindDep, session: SessionDep, principal: PrincipalDep) -> JobsOut:
    """Ask the worker to train; 409 where a training waits already."""
    number = ask_for_training(bind, job.horizons_hours, job.seed)
    audit(session, principal, "ask for training", str(number), job.model_dump())
    return _jobs(session, 100)
