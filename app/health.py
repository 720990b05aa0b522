"""What operators' tools ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from app.database import SessionDep
from app.errors import Unavailable
from app.metrics import exposition
from app.migrate import current_revision, newest_revision
from app.security.policy import public

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    status: str


@router.get("/healthz", dependencies=[public()])
def alive() -> Health:
    """The process answers; says nothing about the database, so that no restart is caused by it."""
    return Health(status="ok")


@router.get("/readyz", dependencies=[public()])
def ready(session: SessionDep) -> Health:
    """The database answers and has the tables of this version."""
    if current_revision(session.connection()) != newest_revision():
        raise Unavailable("The database has not this version's tables; run `wearwatch migrate`.", retry_after=5)
    return Health(status="ready")


@router.get("/metrics", dependencies=[public()], response_class=Response)
def metrics() -> Response:
    """Prometheus' text format. Public: it holds counts by route, and no name of a machine, person or key."""
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)
