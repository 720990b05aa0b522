"""SQL for webhooks and their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.webhooks.retry_rule import ASKS_FOR_TIME
from app.webhooks.tables import Webhook, WebhookMessage

# What was delivered or given up is kept so long for whoever looks for it.
KEPT = timedelta(days=90)
WAITING = and_(WebhookMessage.delivered_at.is_(None), WebhookMessage.given_up_at.is_(None))


def webhook_named(session: Session, name: str, *, lock: bool = False) -> Webhook:
    query = select(Webhook).where(Webhook.name == name)
    # Steps of work orders read its key, and need not wait for us.
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise NotFound(f"There is no webhook named {name}.")
    return found


def webhooks(session: Session) -> Sequence[Webhook]:
    return session.scalars(select(Webhook).order_by(Webhook.name)).all()


def counts(session: Session) -> dict[int, tuple[int, int]]:
    """By the webhook's id: messages that wait, and that were given up."""
    query = (
        select(
            WebhookMessage.webhook_id,
            func.count().filter(WAITING),
            func.count().filter(WebhookMessage.given_up_at.is_not(None)),
        )
        .where(WebhookMessage.delivered_at.is_(None))
        .group_by(WebhookMessage.webhook_id)
    )
    return {webhook_id: (waiting, given_up) for webhook_id, waiting, given_up in session.execute(query)}


def messages(session: Session, webhook: Webhook, state: str | None, limit: int) -> Sequence[WebhookMessage]:
    states: dict[str | None, ColumnElement[bool]] = {
        "waiting": WAITING,
        "delivered": WebhookMessage.delivered_at.is_not(None),
        "given_up": WebhookMessage.given_up_at.is_not(None),
    }
    query = select(WebhookMessage).where(WebhookMessage.webhook_id == webhook.id)
    if state is not None:
        query = query.where(states[state])
    return session.scalars(query.order_by(WebhookMessage.id.desc()).limit(limit)).all()


def due_webhooks(session: Session, now: datetime, most: int) -> Sequence[int]:
    """Those that something is due for; first who was never tried, then whose last try is longest ago."""
    query = (
        select(Webhook.id)
        .join(WebhookMessage, WebhookMessage.webhook_id == Webhook.id)
        .where(Webhook.disabled_at.is_(None), ~_asked_for_time(now))
        .where(WAITING, WebhookMessage.next_at <= now, _first_of_its_subject())
        .group_by(Webhook.id)
        .order_by(Webhook.tried_at.nulls_first(), Webhook.id)
        .limit(most)
    )
    return session.scalars(query).all()


def _asked_for_time(now: datetime) -> ColumnElement[bool]:
    """Read off a message that failed once at most: only what its receiver asked for keeps it for long."""
    kept = aliased(WebhookMessage)
    return exists().where(
        Webhook.last_status.in_(ASKS_FOR_TIME),
        kept.webhook_id == Webhook.id,
        kept.delivered_at.is_(None),
        kept.given_up_at.is_(None),
        kept.attempts <= 1,
        kept.next_at > now,
    )


def next_message(session: Session, webhook_id: int, now: datetime) -> tuple[Webhook, WebhookMessage] | None:
    query = (
        select(Webhook, WebhookMessage)
        .join(WebhookMessage, WebhookMessage.webhook_id == Webhook.id)
        .where(Webhook.id == webhook_id, Webhook.disabled_at.is_(None))
        .where(WAITING, WebhookMessage.next_at <= now, _first_of_its_subject())
        .order_by(WebhookMessage.id)
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def _first_of_its_subject() -> ColumnElement[bool]:
    earlier = aliased(WebhookMessage)
    return ~exists().where(
        earlier.webhook_id == WebhookMessage.webhook_id,
        earlier.subject == WebhookMessage.subject,
        earlier.id < WebhookMessage.id,
        earlier.delivered_at.is_(None),
        earlier.given_up_at.is_(None),
    )


def put_off(session: Session, webhook: Webhook, until: datetime) -> None:
    """Everything that waits for it."""
    later = {"next_at": func.greatest(WebhookMessage.next_at, until)}
    session.execute(update(WebhookMessage).where(WebhookMessage.webhook_id == webhook.id, WAITING).values(later))


def send_again(session: Session, webhook: Webhook, uid: UUID | None, now: datetime) -> int:
    """How many are due at once, with all their attempts before them; a delivered one only where it is named."""
    chosen = WebhookMessage.delivered_at.is_(None) if uid is None else WebhookMessage.uid == uid
    anew = {"attempts": 0, "next_at": now, "given_up_at": None, "delivered_at": None}
    query = update(WebhookMessage).where(WebhookMessage.webhook_id == webhook.id, chosen).values(anew)
    return len(session.scalars(query.returning(WebhookMessage.id)).all())


def forget_messages(session: Session, before: datetime) -> None:
    over = or_(WebhookMessage.delivered_at.is_not(None), WebhookMessage.given_up_at.is_not(None))
    session.execute(delete(WebhookMessage).where(WebhookMessage.created_at < before, over))
