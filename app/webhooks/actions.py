"""The story of a webhook: made, tried, given another secret, disabled, removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.security.audit import audit
from app.security.principal import Principal
from app.webhooks import store
from app.webhooks.address_rule import shown
from app.webhooks.kinds import Kind
from app.webhooks.outbox import add_message, message_id
from app.webhooks.schemas import MessageOut, State, WebhookChange, WebhookIn, WebhookOut
from app.webhooks.signature import new_secret, secret_text
from app.webhooks.tables import Webhook, WebhookMessage

# So long both secrets sign, and a receiver may know either.
BOTH_SECRETS = timedelta(hours=24)


def make_webhook(session: Session, principal: Principal, given: WebhookIn) -> str:
    """The secret, which can never be shown again. Raises Conflict where the name is taken."""
    if session.scalar(select(Webhook.id).where(Webhook.name == given.name)) is not None:
        raise Conflict(f"There is already a webhook named {given.name}.")
    secret = new_secret()
    told = given.model_dump(mode="json")
    session.add(Webhook(**told, secret=secret, created_by=principal.actor))
    session.flush()
    audit(session, principal, "create webhook", given.name, told | {"address": shown(given.address)})
    return secret_text(secret)


def change_webhook(session: Session, principal: Principal, name: str, given: WebhookChange, now: datetime) -> None:
    webhook = store.webhook_named(session, name, lock=True)
    told: dict[str, object] = {}
    if given.address is not None:
        webhook.address, told["address"] = given.address, shown(given.address)
        webhook.tried_at = webhook.last_status = webhook.last_fault = None
    if given.enabled is not None:
        told["enabled"] = given.enabled
        webhook.disabled_at = None if given.enabled else webhook.disabled_at or now
        webhook.disabled_why = None if given.enabled else webhook.disabled_why or f"By {principal.actor}."
    audit(session, principal, "change webhook", name, told)


def new_secret_of(session: Session, principal: Principal, name: str, now: datetime) -> str:
    """A second one within the time in which both sign takes the place of the first, which nobody may have taken."""
    webhook = store.webhook_named(session, name, lock=True)
    if webhook.old_secret_until is None or webhook.old_secret_until <= now:
        webhook.old_secret, webhook.old_secret_until = webhook.secret, now + BOTH_SECRETS
    webhook.secret = new_secret()
    audit(session, principal, "change webhook's secret", name)
    return secret_text(webhook.secret)


def remove_webhook(session: Session, principal: Principal, name: str) -> None:
    """With all its messages."""
    session.delete(store.webhook_named(session, name, lock=True))
    audit(session, principal, "remove webhook", name)


def send_test(session: Session, name: str, now: datetime) -> str:
    """The message's id; it goes out like every other, so that the test is one."""
    webhook = store.webhook_named(session, name)
    if webhook.disabled_at is not None:
        raise Conflict(f"The webhook {name} is disabled.")
    # A subject of its own, so that it does not wait for tests that failed before.
    return add_message(session, webhook.id, Kind.TEST, now, f"test {now.isoformat()}", {"webhook": name})


def send_again(session: Session, principal: Principal, name: str, message: str | None, now: datetime) -> int:
    """How many. Raises NotFound where there is no such message."""
    webhook = store.webhook_named(session, name, lock=True)
    uid = None if message is None else UUID(message.removeprefix("msg_"))
    count = store.send_again(session, webhook, uid, now)
    if uid is not None and count == 0:
        raise NotFound(f"There is no message {message} of the webhook {name}.")
    audit(session, principal, "send webhook's messages again", name, {"messages": count})
    return count


def list_webhooks(session: Session) -> list[WebhookOut]:
    counts = store.counts(session)
    return [_out(each, *counts.get(each.id, (0, 0))) for each in store.webhooks(session)]


def _out(webhook: Webhook, waiting: int, given_up: int) -> WebhookOut:
    others = WebhookOut.model_fields.keys() - {"address", "waiting", "given_up"}
    told = {name: getattr(webhook, name) for name in others}
    return WebhookOut(address=shown(webhook.address), waiting=waiting, given_up=given_up, **told)


def message_out(message: WebhookMessage) -> MessageOut:
    state: State = "delivered" if message.delivered_at else "given_up" if message.given_up_at else "waiting"
    others = MessageOut.model_fields.keys() - {"id", "state", "next_at"}
    told = {name: getattr(message, name) for name in others}
    next_at = message.next_at if state == "waiting" else None
    return MessageOut(id=message_id(message.uid.hex), state=state, next_at=next_at, **told)
