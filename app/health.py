"""What operators' tools ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from app.database import SessionDep
from app.errors import Unavailable
from app.ingest.rollup import bucket_width
from app.metrics import exposition
from app.migrate import current_revision, newest_revision
from app.security.policy import public
from app.settings import SettingsDep

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    status: str


@router.get("/healthz", dependencies=[public()])
def alive() -> Health:
    """The process answers; says nothing about the database, so that no restart is caused by it."""
    return Health(status="ok")


@router.get("/readyz", dependencies=[public()])
def ready(session: SessionDep, settings: SettingsDep) -> Health:
    """The database answers and has the tables of this version, and the worker's buckets are as wide as ours."""
    if current_revision(session.connection()) != newest_revision():
        raise Unavailable("The database has not this version's tables; run `wearwatch migrate`.", retry_after=5)
    width = bucket_width(session)
    if width not in (None, settings.bucket_seconds):
        # What this service marks as touched would be rolled up in part only.
        raise Unavailable(
            f"The worker rolls up buckets of {width} s, this service expects {settings.bucket_seconds} s: give "
            "both the same WEARWATCH_BUCKET and start them again.",
            retry_after=5,
        )
    return Health(status="ready")


@router.get("/metrics", dependencies=[public()], response_class=Response)
def metrics() -> Response:
    """Prometheus' text format. Public: it holds counts by route, and no name of a machine, person or key."""
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)
