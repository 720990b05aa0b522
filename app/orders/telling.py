"""Every step of a work order, told to the webhooks that want it: the order as it is then, and the step."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.orders.schemas import FindingOut, WorkOrderToldOut, WorkStepOut
from app.orders.states import State
from app.orders.store import Ordered, newest_finding, order_out
from app.orders.tables import WorkStep
from app.webhooks import outbox
from app.webhooks.kinds import Kind

KINDS = {
    State.PROPOSED: Kind.CREATED,
    State.ACCEPTED: Kind.ACCEPTED,
    State.SCHEDULED: Kind.SCHEDULED,
    State.IN_PROGRESS: Kind.STARTED,
    State.DONE: Kind.DONE,
    State.CANCELLED: Kind.CANCELLED,
}


def tell(session: Session, ordered: Ordered, step: WorkStep) -> None:
    """Who takes a step has the order locked, or has just made it, so its messages are in the order of its steps."""
    order, machine = ordered
    found = newest_finding(session, order) if order.state == State.DONE else None
    told = WorkOrderToldOut(
        **vars(order_out(ordered)),
        step=WorkStepOut.model_validate(step),
        finding=None if found is None else FindingOut.model_validate(found),
    )
    kind = Kind.CORRECTED if step.from_state == State.DONE else KINDS[State(step.to_state)]
    data = told.model_dump(mode="json")
    outbox.tell(session, kind, step.at, f"work order {order.id}", data, site=machine.site, line=machine.line)
