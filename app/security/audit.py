"""The audit log: who changed what. Written in the same transaction as the change."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.security.principal import Principal
from app.security.store import add_audit_entry

# Who acts where no one signed in: the command line, run by whoever may read the data folder.
COMMAND_LINE = "command line"


def audit(
    session: Session,
    principal: Principal | None,
    action: str,
    subject: str,
    detail: dict[str, object] | None = None,
) -> None:
    """`audit(session, principal, "create key", "press-hall")`. The detail must hold no secret."""
    actor = COMMAND_LINE if principal is None else principal.actor
    add_audit_entry(session, actor, action, subject, detail or {})
