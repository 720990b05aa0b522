"""SQL for work orders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.fleet.tables import Machine
from app.orders.schemas import FindingOut, WorkOrderHistoryOut, WorkOrderOut, WorkStepOut
from app.orders.states import DECIDED, OPEN, State
from app.orders.tables import WorkFinding, WorkOrder, WorkStep
from app.planning.agreed_work import Agreed
from app.planning.problem import Span
from app.planning.resource_rule import ORDER_KEY
from app.planning.store import newest_plan
from app.planning.tables import PlanItem

OF_MACHINE = ("name", "site", "line")


class Ordered(NamedTuple):
    """A work order with its machine."""

    order: WorkOrder
    machine: Machine


@dataclass(frozen=True)
class OrderFilter:
    """What is not named lets everything through."""

    states: Sequence[State] = ()
    machine: str | None = None
    site: str | None = None
    line: str | None = None
    crew: str | None = None


def add_order(session: Session, **columns: object) -> int | None:
    """The new order's id, or None where its external id is taken or its machine has an open order."""
    return session.scalar(insert(WorkOrder).values(**columns).on_conflict_do_nothing().returning(WorkOrder.id))


def order_named(session: Session, external_id: str) -> Ordered | None:
    return _one(session, WorkOrder.external_id == external_id)


def open_order(session: Session, machine_id: int) -> Ordered | None:
    return _one(session, WorkOrder.machine_id == machine_id, WorkOrder.state.in_(OPEN))


def order_by_id(session: Session, order_id: int) -> Ordered:
    found = _one(session, WorkOrder.id == order_id)
    if found is None:
        raise NotFound(f"There is no work order {order_id}.")
    return found


def locked(session: Session, order_id: int) -> Ordered:
    """As it is now, and so until the end of the transaction."""
    query = select(WorkOrder.id).where(WorkOrder.id == order_id).with_for_update()
    session.execute(query)
    return order_by_id(session, order_id)


def _one(session: Session, *conditions: ColumnElement[bool]) -> Ordered | None:
    query = select(WorkOrder, Machine).join(Machine, Machine.id == WorkOrder.machine_id).where(*conditions)
    row = session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else Ordered(*row)


def list_orders(session: Session, wanted: OrderFilter, limit: int, offset: int) -> tuple[list[Ordered], int]:
    conditions = _conditions(wanted)
    joined = select(WorkOrder, Machine).join(Machine, Machine.id == WorkOrder.machine_id).where(*conditions)
    total = session.scalar(select(func.count()).select_from(joined.subquery())) or 0
    is_open = WorkOrder.state.in_(OPEN)
    date = case((is_open, func.coalesce(WorkOrder.scheduled_start, WorkOrder.due_at)))
    by = (is_open.desc(), date.asc().nulls_last(), WorkOrder.changed_at.desc(), WorkOrder.id.desc())
    rows = session.execute(joined.order_by(*by).limit(limit).offset(offset))
    return [Ordered(order, machine) for order, machine in rows], total


def _conditions(wanted: OrderFilter) -> list[ColumnElement[bool]]:
    conditions = [WorkOrder.state.in_(wanted.states)] if wanted.states else []
    named = {
        Machine.key: wanted.machine,
        Machine.site: wanted.site,
        Machine.line: wanted.line,
        WorkOrder.crew: wanted.crew,
    }
    return conditions + [column == value for column, value in named.items() if value is not None]


def steps(session: Session, order: WorkOrder) -> Sequence[WorkStep]:
    query = select(WorkStep).where(WorkStep.work_order_id == order.id).order_by(WorkStep.version)
    return session.scalars(query).all()


def last_step(session: Session, order: WorkOrder) -> WorkStep:
    query = select(WorkStep).where(WorkStep.work_order_id == order.id, WorkStep.version == order.version)
    return session.scalars(query).one()


def findings(session: Session, order: WorkOrder) -> Sequence[WorkFinding]:
    query = select(WorkFinding).where(WorkFinding.work_order_id == order.id).order_by(WorkFinding.version)
    return session.scalars(query).all()


def newest_finding(session: Session, order: WorkOrder) -> WorkFinding | None:
    return next(reversed(findings(session, order)), None)


def newest_findings(session: Session, order_ids: Collection[int]) -> dict[int, WorkFinding]:
    """By the id of their order."""
    current = (WorkOrder.id == WorkFinding.work_order_id) & (WorkOrder.version == WorkFinding.version)
    query = select(WorkFinding).join(WorkOrder, current).where(WorkOrder.id.in_(order_ids))
    return {found.work_order_id: found for found in session.scalars(query)}


def agreed_work(session: Session) -> dict[int, Agreed]:
    """By the machine's id what was decided of it, once it has a time or somebody is at it."""
    query = select(WorkOrder).where(WorkOrder.state.in_(DECIDED))
    return {
        order.machine_id: Agreed(f"{ORDER_KEY}{order.id}", span, order.crew, order.state == State.IN_PROGRESS)
        for order in session.scalars(query)
        for span in [_span(order)]
        if span is not None or order.state == State.IN_PROGRESS
    }


def _span(order: WorkOrder) -> Span | None:
    if order.scheduled_start is None or order.scheduled_end is None:
        return None
    return Span(order.scheduled_start, order.scheduled_end)


def proposal(session: Session, machine_id: int) -> tuple[PlanItem, datetime] | None:
    """The service that the newest plan proposes for this machine, and of when that plan is."""
    plan = newest_plan(session)
    item = session.get(PlanItem, (plan.id, machine_id)) if plan else None
    return (item, plan.as_of) if plan is not None and item is not None and item.service_by is not None else None


def order_out(ordered: Ordered) -> WorkOrderOut:
    order, machine = ordered
    others = WorkOrderOut.model_fields.keys() - {"machine", *OF_MACHINE}
    return WorkOrderOut(
        machine=machine.key,
        **{name: getattr(machine, name) for name in OF_MACHINE},
        **{name: getattr(order, name) for name in others},
    )


def history_out(session: Session, ordered: Ordered) -> WorkOrderHistoryOut:
    return WorkOrderHistoryOut(
        **vars(order_out(ordered)),
        history=[WorkStepOut.model_validate(step) for step in steps(session, ordered.order)],
        findings=[FindingOut.model_validate(found) for found in findings(session, ordered.order)],
    )
