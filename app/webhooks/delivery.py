"""The worker's round: what is due goes out, to several receivers at once and to each one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.database import session_scope
from app.settings import Settings
from app.webhooks import store
from app.webhooks.outbox import message_id
from app.webhooks.retry_rule import ASKS_FOR_TIME, GONE, Answer, time_asked, wait_after
from app.webhooks.sending import post
from app.webhooks.signature import signed_headers
from app.webhooks.tables import Webhook, WebhookMessage

log = structlog.get_logger()

# Receivers a round, each in a thread of its own; the others come first in the next round.
MOST_RECEIVERS = 8
# One that answers slowly has the rest of its messages sent in the next round, after everybody's turn.
SECONDS_A_RECEIVER = 10.0
LOCK_CLASS = 739_285
TRY_LOCK = text("SELECT pg_try_advisory_lock(:class, :id)")
UNLOCK = text("SELECT pg_advisory_unlock_all()")
GONE_WORDS = "It answered 410: it is gone for good."

Send = Callable[[str, dict[str, str], bytes], Answer]
Now = Callable[[], datetime]


@dataclass(frozen=True)
class Parcel:
    """A message as it goes out."""

    id: int
    webhook_id: int
    webhook: str
    message: str
    address: str
    keys: tuple[bytes, ...]
    body: bytes


def deliver(
    engine: Engine, settings: Settings, stop: Callable[[], bool] = lambda: False, now: Now = utc_now
) -> None:
    """One round. A message that was sent but not noted, because we were killed, goes out again with the same id."""
    send = partial(post, loopback=settings.webhook_loopback, ca_file=settings.webhook_ca_file)
    with session_scope(engine) as session:
        due = store.due_webhooks(session, now(), MOST_RECEIVERS)
    with _held(engine, due) as ours, ThreadPoolExecutor(MOST_RECEIVERS) as receivers:
        rounds = [receivers.submit(_deliver_to, engine, each, send, stop, now) for each in ours]
        for each in rounds:
            each.result()


@contextmanager
def _held(engine: Engine, webhook_ids: Sequence[int]) -> Iterator[list[int]]:
    """Those that no other worker sends to. One that is killed loses its connection, and with it its hold."""
    if not webhook_ids:
        yield []
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            yield [each for each in webhook_ids if connection.scalar(TRY_LOCK, {"class": LOCK_CLASS, "id": each})]
        finally:
            connection.execute(UNLOCK)


def _deliver_to(engine: Engine, webhook_id: int, send: Send, stop: Callable[[], bool], now: Now) -> None:
    ends_at = time.monotonic() + SECONDS_A_RECEIVER
    while time.monotonic() < ends_at and not stop():
        parcel = _next_parcel(engine, webhook_id, now())
        if parcel is None:
            return
        answer = send_parcel(parcel, send, now())
        _note(engine, parcel, answer, now())
        if answer.status is None or answer.status in ASKS_FOR_TIME:
            # It is away or wants to be left alone, and the next message would be sent for nothing.
            return


def _next_parcel(engine: Engine, webhook_id: int, now: datetime) -> Parcel | None:
    with session_scope(engine) as session:
        found = store.next_message(session, webhook_id, now)
        return None if found is None else _parcel(*found, now)


def _parcel(webhook: Webhook, message: WebhookMessage, now: datetime) -> Parcel:
    old_counts = webhook.old_secret_until is not None and now < webhook.old_secret_until
    old = (webhook.old_secret,) if webhook.old_secret is not None and old_counts else ()
    return Parcel(
        id=message.id,
        webhook_id=webhook.id,
        webhook=webhook.name,
        message=message_id(message.uid.hex),
        address=webhook.address,
        keys=(webhook.secret, *old),
        body=message.body.encode(),
    )


def send_parcel(parcel: Parcel, send: Send, now: datetime) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Wearwatch",
        **signed_headers(parcel.keys, parcel.message, int(now.timestamp()), parcel.body),
    }
    try:
        return send(parcel.address, headers, parcel.body)
    except Exception as error:  # noqa: BLE001 - else one receiver would stop them all, for ever
        # Its text may hold the address, and with it a token.
        return Answer(fault=f"Sending to it failed unexpectedly ({type(error).__name__}).")


def _note(engine: Engine, parcel: Parcel, answer: Answer, now: datetime) -> None:
    """Nothing where the webhook was removed meanwhile."""
    with session_scope(engine) as session:
        webhook = session.get(Webhook, parcel.webhook_id, with_for_update={"key_share": True})
        message = session.get(WebhookMessage, parcel.id)
        if message is None or webhook is None:
            return
        _note_try(message, answer, now)
        message.attempts += 1
        _decide(message, answer, now)
        # What an address answered that was corrected meanwhile says nothing of the receiver.
        if webhook.address == parcel.address:
            _note_try(webhook, answer, now)
            _decide_receiver(session, webhook, answer, now)
    level = log.info if answer.fault is None else log.warning
    level("webhook", webhook=parcel.webhook, message=parcel.message, status=answer.status, fault=answer.fault)


def _note_try(row: Webhook | WebhookMessage, answer: Answer, now: datetime) -> None:
    row.tried_at, row.last_status, row.last_fault = now, answer.status, answer.fault


def _decide_receiver(session: Session, webhook: Webhook, answer: Answer, now: datetime) -> None:
    if answer.status == GONE:
        webhook.disabled_at, webhook.disabled_why = now, GONE_WORDS
    elif answer.status in ASKS_FOR_TIME:
        store.put_off(session, webhook, now + time_asked(answer))


def _decide(message: WebhookMessage, answer: Answer, now: datetime) -> None:
    if answer.fault is None:
        message.delivered_at = now
    elif answer.status == GONE:
        # It stays for whoever enables the webhook again or has corrected its address.
        message.attempts, message.next_at = 0, now
    else:
        wait = wait_after(message.attempts, answer, random.random())  # noqa: S311 - it spreads load, no more
        if wait is None:
            message.given_up_at = now
        else:
            message.next_at = now + wait
