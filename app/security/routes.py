"""`/api/v1/keys`, `/users`, `/audit-log`: an administrator's doors, and `/me` for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.database import SessionDep
from app.security import keys, schemas, store, users
from app.security.policy import PrincipalDep, Role, allow

router = APIRouter(prefix="/api/v1", tags=["security"])

AccountName = Annotated[schemas.AccountName, Path()]
ADMIN = [allow(Role.ADMIN)]


@router.get("/me", dependencies=[allow(*Role)])
def who_am_i(principal: PrincipalDep) -> schemas.PrincipalOut:
    """What this key or sign-in may do."""
    return schemas.PrincipalOut.model_validate(principal)


@router.get("/keys", dependencies=ADMIN)
def list_keys(session: SessionDep) -> schemas.KeysOut:
    return schemas.KeysOut(keys=[schemas.KeyOut.model_validate(key) for key in keys.list_keys(session)])


@router.post("/keys", status_code=201, dependencies=ADMIN)
def create_key(session: SessionDep, principal: PrincipalDep, given: schemas.KeyIn) -> schemas.NewKeyOut:
    """The answer holds the key, which can never be shown again; 409 where the name is taken."""
    key = keys.create_key(
        session,
        given.name,
        given.role,
        may_register_machines=given.may_register_machines,
        expires_at=given.expires_at,
        by=principal,
    )
    return schemas.NewKeyOut(name=given.name, key=key)


@router.delete("/keys/{name}", status_code=204, dependencies=ADMIN)
def revoke_key(session: SessionDep, principal: PrincipalDep, name: AccountName) -> None:
    """It stops working in every process within a second; its row stays."""
    keys.revoke_key(session, name, by=principal)


@router.get("/users", dependencies=ADMIN)
def list_users(session: SessionDep) -> schemas.UsersOut:
    return schemas.UsersOut(users=[schemas.UserOut.model_validate(user) for user in users.list_users(session)])


@router.post("/users", status_code=201, dependencies=ADMIN)
def create_user(session: SessionDep, principal: PrincipalDep, given: schemas.UserIn) -> schemas.NewPasswordOut:
    """Without a password one is generated and shown in this answer only."""
    chosen = given.password.get_secret_value() if given.password else None
    password = users.create_user(session, given.name, chosen, given.role, by=principal)
    return schemas.NewPasswordOut(name=given.name, password=None if chosen else password)


@router.patch("/users/{name}", dependencies=ADMIN)
def change_user(
    session: SessionDep, principal: PrincipalDep, name: AccountName, given: schemas.UserChange
) -> schemas.UserOut:
    """Another role; 409 for the last administrator."""
    users.set_role(session, name, given.role, by=principal)
    return schemas.UserOut.model_validate(store.user_named(session, name))


@router.put("/users/{name}/password", dependencies=ADMIN)
def set_password(
    session: SessionDep, principal: PrincipalDep, name: AccountName, given: schemas.PasswordIn
) -> schemas.NewPasswordOut:
    """Ends every sign-in of this person."""
    chosen = given.password.get_secret_value() if given.password else None
    password = users.set_password(session, name, chosen, by=principal)
    return schemas.NewPasswordOut(name=name, password=None if chosen else password)


@router.delete("/users/{name}", status_code=204, dependencies=ADMIN)
def disable_user(session: SessionDep, principal: PrincipalDep, name: AccountName) -> None:
    """The row stays, so that the audit log still knows who it was; 409 for the last administrator."""
    users.disable_user(session, name, by=principal)


@router.get("/audit-log", dependencies=ADMIN)
def read_audit_log(
    session: SessionDep,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.AuditLogOut:
    entries = store.audit_entries(session, before, limit)
    return schemas.AuditLogOut(entries=[schemas.AuditEntryOut.model_validate(entry) for entry in entries])
