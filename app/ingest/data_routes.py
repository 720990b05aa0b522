"""How good the data are, over HTTP: who sent what, who is silent, what is doubtful, refused or contradicted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime
from sqlalchemy.orm import Session

from app.clock import NowDep
from app.database import SessionDep
from app.fleet.store import machine_by_key
from app.ingest import account, ledger
from app.ingest.asset_classes import AssetClasses
from app.ingest.data_schemas import (
    AccountPage,
    FlagOut,
    FlagPage,
    PlausibleOut,
    SilentOut,
    SilentPage,
)
from app.ingest.flags import flags, silent
from app.ingest.quality import KINDS
from app.ingest.schemas import ConflictPage, RejectedPage
from app.security.policy import Role, allow
from app.settings import SettingsDep

router = APIRouter(prefix="/api/v1", tags=["data quality"], dependencies=[allow(Role.OPERATOR)])

# No name of ours holds a NUL, and the database takes none.
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
Since = Annotated[AwareDatetime, Query(description="With a zone; counts are kept by the hour.")]
Kind = Annotated[str, Query(pattern=f"^({'|'.join(KINDS)})$")]


def asked_of_ledger(
    machine: Text | None = None,
    sender: Text | None = None,
    since: Annotated[AwareDatetime | None, Query(description="Received since then.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
    limit: Limit = 100,
) -> ledger.Asked:
    return ledger.Asked(machine, sender, since, before, limit)


AskedDep = Annotated[ledger.Asked, Depends(asked_of_ledger)]


@router.get("/readings/rejected", summary="Refused readings, newest first.")
def get_rejected(session: SessionDep, asked: AskedDep) -> RejectedPage:
    return ledger.rejected(session, asked)


@router.get("/readings/conflicts", summary="Contradicting readings, newest first.")
def get_conflicts(session: SessionDep, asked: AskedDep) -> ConflictPage:
    return ledger.conflicts(session, asked)


@router.get(
    "/data/arrivals", summary="Who sent what: accepted, duplicate, conflicting, rejected and late readings."
)
def get_arrivals(
    session: SessionDep,
    now: NowDep,
    by: account.By = "sender",
    sender: Text | None = None,
    machine: Text | None = None,
    since: Since | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> AccountPage:
    return account.arrivals_page(
        session, now, by, sender, _machine_id(session, machine), since, limit=limit, offset=offset
    )


@router.get("/data/silent", summary="Machines in service that send nothing; silence is never taken for normal.")
def get_silent(
    session: SessionDep, settings: SettingsDep, now: NowDep, limit: Limit = 100, offset: Offset = 0
) -> SilentPage:
    rows, total = silent(session, now, settings.silent_after, limit, offset)
    items = [SilentOut.model_validate(row) for row in rows]
    return SilentPage(items=items, total=total, silent_after_s=settings.silent_after.total_seconds())


@router.get("/data/flags", summary="Stored readings that are doubtful, newest first.")
def get_flags(
    session: SessionDep,
    machine: Text | None = None,
    kind: Kind | None = None,
    since: Annotated[AwareDatetime | None, Query(description="Measured since then.")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> FlagPage:
    rows, total = flags(session, _machine_id(session, machine), kind, since, limit, offset)
    return FlagPage(items=[FlagOut.model_validate(row) for row in rows], total=total)


@router.get("/data/plausible-values", summary="What each asset class can plausibly show, and who says so.")
def get_plausible_values(request: Request) -> PlausibleOut:
    classes: AssetClasses = request.app.state.asset_classes
    return PlausibleOut(classes={name: dict(channels) for name, channels in classes.by_class.items()})


def _machine_id(session: Session, key: str | None) -> int | None:
    """Raises NotFound for a machine nobody has named."""
    return None if key is None else machine_by_key(session, key).id
