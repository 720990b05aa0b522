"""SQL for keys, people, sign-ins and the audit log."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.security.principal import Principal, Role
from app.security.tables import ApiKey, AuditEntry, LoginSession, User

KEY = re.compile(r"ww_([0-9a-f]{12})_([0-9A-Za-z]{43})")
# Planners and administrators name new machines by hand, so their imports may as well.
REGISTERING_ROLES = frozenset({Role.PLANNER, Role.ADMIN})


def hashed(secret: str) -> bytes:
    """Plain SHA-256 is enough for a secret of 256 random bits; people's passwords use argon2."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def principal_of_key(session: Session, token: str) -> Principal | None:
    match = KEY.fullmatch(token)
    if match is None:
        return None
    key = session.scalar(
        select(ApiKey).where(
            ApiKey.prefix == match[1],
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
        )
    )
    if key is None or not hmac.compare_digest(key.secret_sha256, hashed(match[2])):
        return None
    return Principal("key", key.name, Role(key.role), key.may_register_machines)


def principal_of_cookie(session: Session, token: str) -> Principal | None:
    row = session.execute(
        select(User, LoginSession.csrf_token)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(
            LoginSession.token_sha256 == hashed(token),
            LoginSession.expires_at > func.now(),
            User.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    user, csrf_token = row
    role = Role(user.role)
    return Principal("person", user.name, role, role in REGISTERING_ROLES, csrf_token)


def key_named(session: Session, name: str) -> ApiKey:
    key = session.scalar(select(ApiKey).where(ApiKey.name == name))
    if key is None:
        raise NotFound(f"There is no key named {name}.")
    return key


def user_named(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFound(f"There is no person named {name}.")
    return user


def end_sign_ins(session: Session, user: User) -> None:
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def add_audit_entry(session: Session, actor: str, action: str, subject: str, detail: dict[str, object]) -> None:
    session.add(AuditEntry(actor=actor, action=action, subject=subject, detail=detail))


def failed_sign_ins(
    session: Session, action: str, name: str, address: str, window: timedelta
) -> tuple[int, int, int]:
    """How many recent failures there were for this name, this address, and both together."""
    of_name, of_address = AuditEntry.subject == name, AuditEntry.actor == f"address {address}"
    row = session.execute(
        select(
            func.count().filter(of_name),
            func.count().filter(of_address),
            func.count().filter(of_name, of_address),
        ).where(AuditEntry.action == action, AuditEntry.at > func.clock_timestamp() - window)
    ).one()
    return row[0], row[1], row[2]


def audit_entries(session: Session, before: int | None, limit: int) -> Sequence[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return session.scalars(query).all()
