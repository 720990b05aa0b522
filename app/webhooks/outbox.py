"""What is to be told, written in the transaction of what it tells: neither is there without the other."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import any_, func, insert, literal, or_, select
from sqlalchemy.orm import Session

from app.webhooks.kinds import Kind
from app.webhooks.tables import Webhook, WebhookMessage


def tell(
    session: Session,
    kind: Kind,
    at: datetime,
    subject: str,
    data: dict[str, object],
    *,
    site: str | None = None,
    line: str | None = None,
) -> None:
    """One message for every receiver that wants it, in the order in which its subject is locked by who tells."""
    # One that is being removed is waited for and left out; only its key is locked, so nobody else waits for us.
    wanting = (
        select(Webhook.id)
        .where(
            Webhook.disabled_at.is_(None),
            or_(Webhook.site.is_(None), Webhook.site == site),
            or_(Webhook.line.is_(None), Webhook.line == line),
            or_(func.cardinality(Webhook.kinds) == 0, literal(kind.value) == any_(Webhook.kinds)),
        )
        .with_for_update(read=True, key_share=True)
    )
    for webhook_id in session.scalars(wanting).all():
        add_message(session, webhook_id, kind, at, subject, data)


def add_message(
    session: Session, webhook_id: int, kind: Kind, at: datetime, subject: str, data: dict[str, object]
) -> str:
    """The message's id."""
    told = {"type": kind.value, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    row = {"webhook_id": webhook_id, "kind": kind.value, "subject": subject, "body": body}
    uid = session.scalars(insert(WebhookMessage).values(row).returning(WebhookMessage.uid)).one()
    return message_id(uid.hex)


def message_id(uid_hex: str) -> str:
    """The `webhook-id`, the same however often the message is sent."""
    return f"msg_{uid_hex}"
