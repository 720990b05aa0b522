"""`/api/v1/machines`: the fleet, and what happened to each machine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.clock import NowDep
from app.database import SessionDep
from app.fleet import actions, store
from app.fleet.failure_modes import FailureModes
from app.fleet.machine_key import MachineKey
from app.fleet.schemas import (
    ComponentsOut,
    EventIn,
    EventOut,
    EventsOut,
    FailureModesOut,
    MachineChange,
    MachineIn,
    MachineOut,
    MachinesOut,
)
from app.fleet.tables import EventKind
from app.security.policy import PrincipalDep, Role, allow
from app.settings import SettingsDep
from app.text import Name

router = APIRouter(prefix="/api/v1", tags=["fleet"])

# A page that a browser shows at once and that no client must fear.
MOST_PER_PAGE = 1000
LAST_OFFSET = 10_000_000

Key = Annotated[MachineKey, Path(description="The machine's key, as sensors write it")]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Offset = Annotated[int, Query(ge=0, le=LAST_OFFSET)]


def get_failure_modes(request: Request) -> FailureModes:
    modes: FailureModes = request.app.state.failure_modes
    return modes


FailureModesDep = Annotated[FailureModes, Depends(get_failure_modes)]


@router.get("/machines", dependencies=[allow(Role.OPERATOR)])
def list_machines(
    session: SessionDep,
    site: Name | None = None,
    line: Name | None = None,
    q: Annotated[Name | None, Query(description="Part of the key or the name")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> MachinesOut:
    machines, total = store.list_machines(session, store.MachineFilter(site, line, q), limit, offset)
    return MachinesOut(machines=[MachineOut.model_validate(machine) for machine in machines], total=total)


@router.get("/machines/{key}", dependencies=[allow(Role.OPERATOR)])
def get_machine(session: SessionDep, key: Key) -> MachineOut:
    return MachineOut.model_validate(store.machine_by_key(session, key))


@router.post("/machines", status_code=201, dependencies=[allow(Role.PLANNER)])
def add_machine(session: SessionDep, principal: PrincipalDep, machine: MachineIn) -> MachineOut:
    """A new machine; 409 where the key is taken."""
    return actions.add_machine(session, principal, machine)


@router.put("/machines/{key}", dependencies=[allow(Role.PLANNER)], responses={201: {"model": MachineOut}})
def put_machine(
    session: SessionDep, principal: PrincipalDep, key: Key, machine: MachineChange, response: Response
) -> MachineOut:
    """The machine exactly as given: what is not named is emptied."""
    stored, new = actions.put_machine(session, principal, key, machine)
    response.status_code = 201 if new else 200
    return stored


@router.patch("/machines/{key}", dependencies=[allow(Role.PLANNER)])
def change_machine(session: SessionDep, principal: PrincipalDep, key: Key, machine: MachineChange) -> MachineOut:
    """Changes what is named, leaves the rest."""
    return actions.change_machine(session, principal, key, machine)


@router.get("/machines/{key}/events", dependencies=[allow(Role.OPERATOR)])
def list_events(
    session: SessionDep, key: Key, kind: EventKind | None = None, limit: Limit = 100, offset: Offset = 0
) -> EventsOut:
    events, total = store.list_events(session, store.machine_by_key(session, key), kind, limit, offset)
    return EventsOut(events=events, total=total)


@router.post(
    "/machines/{key}/events",
    status_code=201,
    dependencies=[allow(Role.OPERATOR)],
    responses={200: {"model": EventOut, "description": "The same event is already recorded"}},
)
def record_event(
    session: SessionDep,
    principal: PrincipalDep,
    settings: SettingsDep,
    modes: FailureModesDep,
    now: NowDep,
    key: Key,
    event: EventIn,
    response: Response,
) -> EventOut:
    """A failure, service, fault code or decommissioning; 409 where it is already told with another end or note."""
    stored, new = actions.record_event(session, principal, key, event, modes, now + settings.max_future)
    response.status_code = 201 if new else 200
    return stored


@router.get("/failure-modes", dependencies=[allow(Role.OPERATOR)])
def list_failure_modes(
    session: SessionDep, modes: FailureModesDep, asset_class: Name | None = None
) -> FailureModesOut:
    return FailureModesOut(failure_modes=actions.failure_modes_of(session, modes, asset_class))


@router.get("/components", dependencies=[allow(Role.OPERATOR)])
def list_components(session: SessionDep, asset_class: Name | None = None) -> ComponentsOut:
    return ComponentsOut(components=actions.components_of(session, asset_class))
