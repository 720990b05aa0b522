"""The story of a key: made and shown once, listed, revoked."""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.security.audit import audit
from app.security.principal import Principal, Role
from app.security.store import hashed, key_named
from app.security.tables import ApiKey
from app.text import plain_name

LETTERS = string.ascii_letters + string.digits
# 43 characters of 62 hold 256 bits.
SECRET_LENGTH = 43


def create_key(
    session: Session,
    name: str,
    role: Role,
    *,
    may_register_machines: bool = False,
    expires_at: datetime | None = None,
    by: Principal | None = None,
) -> str:
    """The whole key, which can never be shown again. Raises Conflict where the name is taken."""
    name = plain_name(name, "a key's name")
    _check_expiry(expires_at)
    if session.scalar(select(ApiKey.id).where(ApiKey.name == name)) is not None:
        raise Conflict(f"There is already a key named {name}.")
    prefix, secret = secrets.token_hex(6), "".join(secrets.choice(LETTERS) for _ in range(SECRET_LENGTH))
    key = ApiKey(name=name, prefix=prefix, secret_sha256=hashed(secret), role=role, expires_at=expires_at)
    key.may_register_machines = may_register_machines
    session.add(key)
    session.flush()
    audit(session, by, "create key", name, {"role": role, "may_register_machines": may_register_machines})
    return f"ww_{prefix}_{secret}"


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise BadInput("The expiry needs a time zone.")
    if expires_at <= datetime.now(UTC):
        raise BadInput("The expiry lies in the past.")


def list_keys(session: Session) -> Sequence[ApiKey]:
    return session.scalars(select(ApiKey).order_by(ApiKey.name)).all()


def revoke_key(session: Session, name: str, *, by: Principal | None = None) -> None:
    """It stops working in every process within a second. Revoking again changes nothing."""
    key = key_named(session, name)
    if key.revoked_at is None:
        key.revoked_at = session.scalar(select(func.now()))
        audit(session, by, "revoke key", name)
