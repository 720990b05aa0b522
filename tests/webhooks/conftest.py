"""Webhooks of a database of their own, work orders to tell of, and receivers that listen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.database import session_scope
from app.fleet.tables import Machine
from app.orders import actions
from app.orders.schemas import ScheduleIn, StepIn, WorkOrderIn
from app.security.principal import Principal, Role
from app.settings import Settings
from app.webhooks import actions as webhooks
from app.webhooks.delivery import deliver
from app.webhooks.schemas import WebhookIn
from app.webhooks.tables import WebhookMessage

from .receiver import receiving

ADA = Principal("person", "Ada", Role.ADMIN, False)


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", webhook_loopback=True)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def now():
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def subscribe(engine):
    """`subscribe(receiver, line="L1")` -> the secret."""

    def make(receiver, name="cmms", address=None, **given):
        with session_scope(engine) as session:
            told = WebhookIn(name=name, address=address or receiver.address(), **given)
            return webhooks.make_webhook(session, ADA, told)

    return make


@pytest.fixture
def order(engine, now):
    """`order("press-07", line="L1")` -> the id of a new order."""

    def make(machine="press-07", given=None, **columns):
        with session_scope(engine) as session:
            session.add(Machine(key=machine, **columns))
            session.flush()
            ordered, _ = actions.add_order(session, ADA, WorkOrderIn(machine=machine, **(given or {})), now)
            return ordered.order.id

    return make


@pytest.fixture
def accept(engine, now):
    def take(order_id, version=1, **given):
        with session_scope(engine) as session:
            actions.accept(session, ADA, order_id, StepIn(version=version, **given), now)

    return take


@pytest.fixture
def schedule(engine, now):
    def take(order_id, version=2):
        times = {"start": now + timedelta(hours=1), "end": now + timedelta(hours=3)}
        with session_scope(engine) as session:
            actions.schedule(session, ADA, order_id, ScheduleIn(version=version, crew="night", **times), now)

    return take


@pytest.fixture
def round_(engine, settings):
    """`round_(hours=3)`: what a worker would send then."""

    def go(**later):
        deliver(engine, settings, now=lambda: datetime.now(UTC) + timedelta(**later))

    return go


@pytest.fixture
def stored(engine):
    """The messages as they are stored, oldest first."""

    def read():
        with session_scope(engine) as session:
            return session.scalars(select(WebhookMessage).order_by(WebhookMessage.id)).all()

    return read


@pytest.fixture
def listed(engine):
    """`listed("cmms")` -> the webhook as administrators see it."""

    def read(name="cmms"):
        with session_scope(engine) as session:
            return next(each for each in webhooks.list_webhooks(session) if each.name == name)

    return read
