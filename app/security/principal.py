"""Roles, and whoever a request comes from: the vocabulary of every policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What a key or a person is for."""

    SENSOR = "sensor"
    OPERATOR = "operator"
    PLANNER = "planner"
    ADMIN = "admin"


INCLUDES = {
    Role.SENSOR: frozenset({Role.SENSOR}),
    Role.OPERATOR: frozenset({Role.OPERATOR}),
    Role.PLANNER: frozenset({Role.PLANNER, Role.OPERATOR}),
    Role.ADMIN: frozenset(Role),
}


@dataclass(frozen=True)
class Principal:
    """Whoever asks. Only a person has a CSRF token, because only a browser sends credentials unasked."""

    kind: Literal["key", "person", "mqtt"]
    name: str
    role: Role
    may_register_machines: bool = False
    csrf_token: str | None = None

    @property
    def actor(self) -> str:
        return f"{self.kind} {self.name}"

    def has_any(self, roles: frozenset[Role]) -> bool:
        return bool(INCLUDES[self.role] & roles)
