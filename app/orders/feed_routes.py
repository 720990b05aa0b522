"""Work orders for calendars and spreadsheets: `/api/v1/work-orders.ics`, `.csv`, and calendar addresses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.clock import NowDep
from app.database import SessionDep
from app.fleet.routes import Offset
from app.orders import feeds, store
from app.orders.order_filter import FilterDep
from app.orders.schemas import FeedIn, FeedOut, FeedsOut, NewFeedOut
from app.orders.store import order_out
from app.orders.table_file import table
from app.security.policy import PrincipalDep, Role, allow, public
from app.security.schemas import AccountName

router = APIRouter()

# A table that a spreadsheet opens at once.
MOST_ROWS = 10_000
ICS = "/api/v1/work-orders.ics"
CALENDAR, CSV = "text/calendar", "text/csv"

Token = Annotated[str, Query(max_length=200, description="As the calendar's address holds it")]
FeedName = Annotated[AccountName, Path()]


@router.get(
    "/work-orders.ics",
    dependencies=[public()],
    response_class=Response,
    responses={200: {"content": {CALENDAR: {"schema": {"type": "string"}}}}},
)
def read_calendar(request: Request, session: SessionDep, now: NowDep, token: Token) -> Response:
    """Scheduled work as a calendar (RFC 5545); the token stands for a sign-in, since calendars send no keys."""
    feed = feeds.feed_of(session, token)
    request.state.actor = f"calendar {feed.name}"
    return Response(feeds.calendar_of(session, feed, now), media_type=CALENDAR)


@router.get(
    "/work-orders.csv",
    dependencies=[allow(Role.OPERATOR)],
    response_class=Response,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def read_table(
    session: SessionDep,
    wanted: FilterDep,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
    offset: Offset = 0,
) -> Response:
    """One row an order with its newest finding; a text that a spreadsheet would compute begins with a quote."""
    orders, _ = store.list_orders(session, wanted, limit, offset)
    found = store.newest_findings(session, [each.order.id for each in orders])
    headers = {"Content-Disposition": 'attachment; filename="work-orders.csv"'}
    return Response(table(map(order_out, orders), found), media_type=CSV, headers=headers)


@router.get("/calendars", dependencies=[allow(Role.PLANNER)])
def list_calendars(session: SessionDep) -> FeedsOut:
    return FeedsOut(calendars=[FeedOut.model_validate(feed) for feed in feeds.list_feeds(session)])


@router.post("/calendars", status_code=201, dependencies=[allow(Role.PLANNER)])
def make_calendar(session: SessionDep, principal: PrincipalDep, given: FeedIn) -> NewFeedOut:
    """The answer holds the secret address, which can never be shown again; 409 where the name is taken."""
    token = feeds.make_feed(session, principal, given)
    return NewFeedOut(name=given.name, address=f"{ICS}?token={token}")


@router.delete("/calendars/{name}", status_code=204, dependencies=[allow(Role.PLANNER)])
def revoke_calendar(session: SessionDep, principal: PrincipalDep, name: FeedName) -> None:
    """Its address stops working at once; its row stays."""
    feeds.revoke_feed(session, principal, name)
