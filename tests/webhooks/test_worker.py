"""The worker's queue sends what is due, and what is long over is forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from app.database import session_scope
from app.webhooks import store
from app.webhooks.tables import WebhookMessage
from ml.jobs.queue import make_queue


def test_the_worker_sends_what_is_due(subscribe, receiver, order, engine, settings):
    subscribe(receiver)
    order()

    async def work():
        queue = make_queue(engine, settings)
        async with queue.open_async():
            await queue.tasks["webhooks"].defer_async(timestamp=0)
            await queue.run_worker_async(wait=False, install_signal_handlers=False)

    asyncio.run(work())
    assert len(receiver.requests) == 1


def test_only_what_is_over_is_forgotten(subscribe, receiver, order, round_, engine, stored):
    subscribe(receiver)
    order("press-07")
    round_()
    order("press-08")
    long_ago = datetime.now(UTC) - timedelta(days=100)
    with session_scope(engine) as session:
        session.execute(update(WebhookMessage).values(created_at=long_ago))
        store.forget_messages(session, datetime.now(UTC) - store.KEPT)
    assert [message.subject for message in stored()] == ["work order 2"]
