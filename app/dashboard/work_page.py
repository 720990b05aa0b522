"""The pages of work orders: what is open, by state, and one order with the forms of its next steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from sqlalchemy.orm import Session

from app.dashboard import loading
from app.dashboard.context import Frame, ProposedService
from app.dashboard.work_context import OrdersOfState, Typed, WorkOrderPage, WorkPage
from app.fleet.actions import components_of, failure_modes_of
from app.fleet.failure_modes import FailureModes
from app.fleet.schemas import ComponentOut
from app.orders import feeds, store
from app.orders.finding_rule import OUTCOME_WORDS
from app.orders.schemas import FeedOut, WorkOrderOut
from app.orders.states import NEXT, OPEN, State, words
from app.orders.store import OrderFilter, order_out
from app.planning.store import newest_plan
from app.webhooks.actions import list_webhooks

MOST_OPEN, MOST_CLOSED, MOST_PROPOSED = 300, 20, 50
# What somebody must do next comes first.
IN_ORDER = (State.IN_PROGRESS, State.SCHEDULED, State.ACCEPTED, State.PROPOSED)
CLOSED = tuple(state for state in State if state not in OPEN)
STEPS = {
    State.ACCEPTED: "accept",
    State.SCHEDULED: "schedule",
    State.IN_PROGRESS: "start",
    State.DONE: "done",
    State.CANCELLED: "cancel",
}


def work_page(session: Session, frame: Frame, typed: Typed, address: str | None = None) -> WorkPage:
    open_orders, total = store.list_orders(session, OrderFilter(OPEN), MOST_OPEN, 0)
    closed, _ = store.list_orders(session, OrderFilter(CLOSED), MOST_CLOSED, 0)
    services = loading.proposed_services(session, newest_plan(session))
    listed = feeds.list_feeds(session) if frame.may_plan else ()
    return WorkPage(
        frame=frame,
        proposed=tuple(_unordered(services, {each.machine.key for each in open_orders})),
        states=_by_state([order_out(each) for each in open_orders]),
        more=total - len(open_orders),
        closed=tuple(map(order_out, closed)),
        calendars=tuple(FeedOut.model_validate(each) for each in listed),
        address=address,
        webhooks=tuple(list_webhooks(session)) if frame.may_administer else (),
        typed=typed,
    )


def _unordered(services: Sequence[ProposedService], ordered: Collection[str]) -> Iterable[ProposedService]:
    return [service for service in services if service.key not in ordered][:MOST_PROPOSED]


def _by_state(orders: Sequence[WorkOrderOut]) -> tuple[OrdersOfState, ...]:
    groups = {state: tuple(order for order in orders if order.state is state) for state in IN_ORDER}
    return tuple(OrdersOfState(words(state), group) for state, group in groups.items() if group)


def work_order_page(
    session: Session, frame: Frame, modes: FailureModes, order_id: int, typed: Typed
) -> WorkOrderPage:
    """Raises NotFound."""
    ordered = store.order_by_id(session, order_id)
    order, asset_class = store.history_out(session, ordered), ordered.machine.asset_class
    following = tuple(STEPS[state] for state in NEXT[order.state])
    return WorkOrderPage(
        frame=frame,
        order=order,
        steps=("correct",) if order.state is State.DONE else following,
        outcomes=tuple((str(outcome), told) for outcome, told in OUTCOME_WORDS.items()),
        modes=tuple(failure_modes_of(session, modes, asset_class)),
        components=_by_subunit(components_of(session, asset_class)),
        typed=typed,
    )


def _by_subunit(components: Iterable[ComponentOut]) -> tuple[tuple[str, tuple[ComponentOut, ...]], ...]:
    groups = groupby(components, key=lambda each: each.subunit or "named in earlier events")
    return tuple((subunit, tuple(group)) for subunit, group in groups)
