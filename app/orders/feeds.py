"""Calendar addresses: made and shown once, read by whoever has the token in them, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.fleet.tables import Machine
from app.orders.calendar_file import Entry, calendar
from app.orders.schemas import FeedIn
from app.orders.states import State, words
from app.orders.store import Ordered
from app.orders.tables import CalendarFeed, WorkOrder
from app.security.audit import audit
from app.security.principal import Principal
from app.security.store import hashed

# A mark by which scanners for leaked secrets, and people, know what they found.
MARK = "wwcal_"
# Work so long over is left out, so that the file stays small.
KEPT = timedelta(days=90)
MOST_ENTRIES = 2000
LONGEST_SUMMARY = 80


def make_feed(session: Session, principal: Principal, given: FeedIn) -> str:
    """The token, which can never be shown again. Raises Conflict where the name is taken."""
    if _named(session, given.name) is not None:
        raise Conflict(f"There is already a calendar named {given.name}.")
    token = MARK + secrets.token_urlsafe(32)
    session.add(CalendarFeed(token_sha256=hashed(token), created_by=principal.actor, **given.model_dump()))
    session.flush()
    audit(session, principal, "create calendar", given.name, given.model_dump(exclude={"name"}, exclude_none=True))
    return token


def list_feeds(session: Session) -> Sequence[CalendarFeed]:
    return session.scalars(select(CalendarFeed).order_by(CalendarFeed.name)).all()


def revoke_feed(session: Session, principal: Principal, name: str) -> None:
    """Its address stops working at once. Revoking again changes nothing."""
    feed = _named(session, name)
    if feed is None:
        raise NotFound(f"There is no calendar named {name}.")
    if feed.revoked_at is None:
        feed.revoked_at = session.scalar(select(func.now()))
        audit(session, principal, "revoke calendar", name)


def feed_of(session: Session, token: str) -> CalendarFeed:
    """Raises NotFound where nothing may be read with this token."""
    query = select(CalendarFeed).where(
        CalendarFeed.token_sha256 == hashed(token), CalendarFeed.revoked_at.is_(None)
    )
    feed = session.scalar(query)
    if feed is None:
        raise NotFound("This calendar address is unknown or was revoked.")
    return feed


def calendar_of(session: Session, feed: CalendarFeed, now: datetime) -> str:
    return calendar(f"Wearwatch {feed.name}", map(_entry, _scheduled(session, feed, now)))


def _named(session: Session, name: str) -> CalendarFeed | None:
    return session.scalar(select(CalendarFeed).where(CalendarFeed.name == name))


def _scheduled(session: Session, feed: CalendarFeed, now: datetime) -> list[Ordered]:
    """The newest dates first where there are too many; cancelled ones too, so that calendars strike them out."""
    wanted = {Machine.site: feed.site, Machine.line: feed.line, WorkOrder.crew: feed.crew}
    query = (
        select(WorkOrder, Machine)
        .join(Machine, Machine.id == WorkOrder.machine_id)
        .where(WorkOrder.scheduled_end >= now - KEPT, WorkOrder.state != State.PROPOSED)
        .where(*(column == value for column, value in wanted.items() if value is not None))
        .order_by(WorkOrder.scheduled_end.desc(), WorkOrder.id)
        .limit(MOST_ENTRIES)
    )
    return [Ordered(order, machine) for order, machine in session.execute(query)]


def _entry(ordered: Ordered) -> Entry:
    """Once the work is done, when it was; until then when it is to be."""
    order, machine = ordered
    assert order.scheduled_start is not None
    assert order.scheduled_end is not None
    starts_at, ends_at = order.scheduled_start, order.scheduled_end
    if order.state == State.DONE and order.started_at and order.ended_at and order.started_at < order.ended_at:
        starts_at, ends_at = order.started_at, order.ended_at
    return Entry(
        uid=str(order.uid),
        sequence=order.version,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=order.created_at,
        changed_at=order.changed_at,
        summary=_summary(order, machine),
        description=_description(order, machine),
        location=", ".join(place for place in (machine.site, machine.line) if place),
        status=_status(State(order.state)),
    )


def _status(state: State) -> Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]:
    if state is State.CANCELLED:
        return "CANCELLED"
    return "TENTATIVE" if state is State.ACCEPTED else "CONFIRMED"


def _summary(order: WorkOrder, machine: Machine) -> str:
    work = (order.work or "").strip().partition("\n")[0].strip() or "service"
    done = "Done: " if order.state == State.DONE else ""
    text = f"{done}{machine.key}: {work}"
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 1] + "…"


def _description(order: WorkOrder, machine: Machine) -> str:
    risk = order.probability_by_then
    lines = (
        f"Work order {order.id}, {words(State(order.state))}",
        machine.name,
        f"Crew: {order.crew}" if order.crew else None,
        f"Due by {order.due_at:%-d %b %Y %H:%M} UTC" if order.due_at else None,
        f"Risk of failing until then, when ordered: {risk:.0%}" if risk is not None else None,
        order.work,
    )
    return "\n".join(line for line in lines if line)
