"""Keys, people and the audit log on the wire; a key's secret leaves once, a password never."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from app.moment import Moment
from app.security.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from app.security.principal import Role
from app.text import Name, address_part

AccountName = Annotated[Name, AfterValidator(address_part)]
Password = Annotated[SecretStr, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]


class KeyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: AccountName
    role: Role
    may_register_machines: bool = Field(False, strict=True)
    expires_at: Moment | None = None


class KeyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    prefix: str
    role: Role
    may_register_machines: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeysOut(BaseModel):
    keys: list[KeyOut]


class NewKeyOut(BaseModel):
    """The only answer that ever holds the key."""

    name: str
    key: str


class UserIn(BaseModel):
    """Without a password one is generated."""

    model_config = ConfigDict(extra="forbid")

    name: AccountName
    role: Role
    password: Password | None = None


class UserChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role


class PasswordIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Password | None = None


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


class UsersOut(BaseModel):
    users: list[UserOut]


class NewPasswordOut(BaseModel):
    """`password` only where it was generated here."""

    name: str
    password: str | None


class AuditEntryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]


class AuditLogOut(BaseModel):
    """Newest first; `before` takes the last id to go on."""

    entries: list[AuditEntryOut]


class PrincipalOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    kind: str
    name: str
    role: Role
    may_register_machines: bool
