"""The story of a person's account: made, listed, disabled, given another password."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.security.audit import audit
from app.security.passwords import generate_password, hash_password
from app.security.principal import Principal, Role
from app.security.store import end_sign_ins, user_named
from app.security.tables import User
from app.text import plain_name


def create_user(
    session: Session, name: str, password: str | None, role: Role, *, by: Principal | None = None
) -> str:
    """The password: the one given, or a generated one where none was. Raises Conflict where the name is taken."""
    name = plain_name(name, "a person's name")
    if role is Role.SENSOR:
        raise BadInput("A person cannot be a sensor; create a key instead.")
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise Conflict(f"There is already a person named {name}.")
    password = generate_password() if password is None else password
    session.add(User(name=name, password_hash=hash_password(password), role=role))
    session.flush()
    audit(session, by, "create user", name, {"role": role})
    return password


def list_users(session: Session) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.name)).all()


def disable_user(session: Session, name: str, *, by: Principal | None = None) -> None:
    """Ends every sign-in of this person as well. Raises Conflict for the last administrator."""
    user = user_named(session, name)
    if user.disabled_at is not None:
        return
    _keep_an_administrator(session, user)
    user.disabled_at = session.scalar(select(func.now()))
    end_sign_ins(session, user)
    audit(session, by, "disable user", name)


def set_password(session: Session, name: str, password: str | None, *, by: Principal | None = None) -> str:
    """The new password, generated where none is given; every sign-in with the old one ends."""
    user = user_named(session, name)
    password = generate_password() if password is None else password
    user.password_hash = hash_password(password)
    end_sign_ins(session, user)
    audit(session, by, "set password", name)
    return password


def set_role(session: Session, name: str, role: Role, *, by: Principal | None = None) -> None:
    if role is Role.SENSOR:
        raise BadInput("A person cannot be a sensor; create a key instead.")
    user = user_named(session, name)
    if user.role == Role.ADMIN and role is not Role.ADMIN:
        _keep_an_administrator(session, user)
    user.role = role
    audit(session, by, "set role", name, {"role": role})


def _keep_an_administrator(session: Session, leaving: User) -> None:
    """Locks the administrators first, so that two cannot remove each other at the same moment."""
    admins = session.scalars(
        select(User.id)
        .where(User.role == Role.ADMIN, User.disabled_at.is_(None))
        .order_by(User.id)
        .with_for_update()
    ).all()
    if list(admins) == [leaving.id]:
        raise Conflict(f"{leaving.name} is the last administrator; name another one first.")
