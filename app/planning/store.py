"""SQL for plans: what the fleet went through, keeping a plan, reading the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.fleet.event_rule import PREVENTIVE, REPLACEMENT
from app.fleet.tables import Event, EventKind, Machine
from app.planning.renewed_life import Lived
from app.planning.tables import Plan, PlanDeferral, PlanItem
from app.risk.tables import LatestPrediction, Prediction

# How far back rates are counted: a full year, so that seasons weigh alike.
LOOK_BACK = timedelta(days=365)
# Plans are made with every scoring; the newest of them are kept to see what was proposed lately.
PLANS_KEPT = 50
PLAN_LOCK = 5_208_416_593

# A service that begins between a failure of the same machine and its end is its repair, not a planned one; several
# at one time are one visit, and looking is no service.
LIVED = text("""
    WITH counted AS (
        SELECT DISTINCT e.machine_id, e.started_at, e.kind, e.code IS DISTINCT FROM 'inspection' AND NOT EXISTS (
            SELECT FROM events f WHERE f.machine_id = e.machine_id AND f.kind = 'failure'
                AND e.started_at BETWEEN f.started_at AND coalesce(f.ended_at, f.started_at)
        ) AS planned
        FROM events e
        WHERE e.kind IN ('failure', 'service') AND e.started_at >= :since AND e.started_at < :until
    )
    SELECT count(*) FILTER (WHERE kind = 'failure') AS failures,
        count(*) FILTER (WHERE kind = 'service' AND planned) AS services,
        (
            SELECT coalesce(sum(greatest(0, extract(
                epoch FROM least(m.decommissioned_at, :until) - greatest(m.installed_at, begin.at)
            ) / 3600)), 0)
            FROM machines m, (SELECT min(started_at) AS at FROM counted) begin
            WHERE begin.at IS NOT NULL
        )::double precision AS machine_hours
    FROM counted
""")


# Failures of several components at one time are one stop.
REPAIRS = text("""
    SELECT asset_class, count(*) AS number, sum(extract(epoch FROM ended_at - started_at) / 3600)::float AS hours
    FROM (
        SELECT machine_id, started_at, max(ended_at) AS ended_at FROM events
        WHERE kind = 'failure' AND ended_at IS NOT NULL AND started_at >= :since AND started_at < :until
        GROUP BY machine_id, started_at
    ) stop JOIN machines ON machines.id = stop.machine_id
    GROUP BY asset_class
""")
FEWEST_REPAIRS = 3


class Proposed(NamedTuple):
    """A line of the plan with its machine."""

    item: PlanItem
    machine: Machine


def lived(session: Session, until: datetime) -> Lived:
    """Since the first event within LOOK_BACK: before it, nobody may have kept records."""
    row = session.execute(LIVED, {"since": until - LOOK_BACK, "until": until}).one()
    return Lived(row.failures, row.services, row.machine_hours)


def recorded_repair_hours(session: Session, until: datetime) -> dict[str | None, float]:
    """By asset class how long its failures took on average, where a few have an end; None: those of all classes."""
    rows = session.execute(REPAIRS, {"since": until - LOOK_BACK, "until": until}).all()
    whole = [(None, sum(row.number for row in rows), sum(row.hours for row in rows))]
    return {key: hours / number for key, number, hours in (*rows, *whole) if number >= FEWEST_REPAIRS}


def renewed_at(session: Session, until: datetime) -> dict[int, datetime]:
    """By machine when it was last renewed as a whole."""
    query = select(Event.machine_id, func.max(Event.started_at).label("at")).where(
        Event.kind == EventKind.SERVICE,
        Event.code.in_([PREVENTIVE, REPLACEMENT]),
        Event.component.is_(None),
        Event.started_at < until,
    )
    return {row.machine_id: row.at for row in session.execute(query.group_by(Event.machine_id))}


def proposed_windows(session: Session) -> dict[int, str]:
    """By machine the window that the newest plan proposes."""
    plan = newest_plan(session)
    if plan is None:
        return {}
    query = select(PlanItem.machine_id, PlanItem.planned_window).where(PlanItem.plan_id == plan.id)
    return {machine: window for machine, window in session.execute(query) if window is not None}


def windows_used(session: Session, plan: Plan) -> Sequence[str]:
    used = select(PlanItem.planned_window).where(PlanItem.plan_id == plan.id).distinct()
    return sorted(key for key in session.scalars(used) if key is not None)


def lock_plan(session: Session) -> None:
    """Until the transaction ends nobody else changes what plans keep to, or keeps a plan."""
    session.execute(select(func.pg_advisory_xact_lock(PLAN_LOCK)))


def plan_due(session: Session) -> bool:
    """Whether something was scored or changed since the newest plan was begun."""
    plan = newest_plan(session)
    if plan is None or plan.outdated:
        return True
    served = select(func.max(Prediction.scored_at)).join(
        LatestPrediction, LatestPrediction.prediction_id == Prediction.id
    )
    scored_at = session.scalar(served)
    return scored_at is not None and scored_at > plan.as_of


def outdate_plan(session: Session) -> None:
    """A plan that is being kept meanwhile is outdated too."""
    lock_plan(session)
    newest = select(func.max(Plan.id)).scalar_subquery()
    session.execute(update(Plan).where(Plan.id == newest).values(outdated=True))


def plan_outdated(session: Session) -> bool:
    plan = newest_plan(session)
    return plan is not None and plan.outdated


def keep_plan(session: Session, values: dict[str, Any], items: Sequence[dict[str, Any]]) -> int:
    """The new plan's id; older plans beyond PLANS_KEPT go."""
    plan = Plan(**values)
    session.add(plan)
    session.flush()
    if items:
        # Past the ORM, which would send a statement for every run of lines with the same columns unset.
        session.connection().execute(insert(PlanItem), [{"plan_id": plan.id, **item} for item in items])
    kept = select(Plan.id).order_by(Plan.id.desc()).limit(PLANS_KEPT)
    session.execute(delete(Plan).where(Plan.id.not_in(kept)))
    return plan.id


def newest_plan(session: Session) -> Plan | None:
    return session.scalar(select(Plan).order_by(Plan.id.desc()).limit(1))


def services(
    session: Session, plan: Plan, site: str | None, line: str | None, limit: int, offset: int
) -> list[Proposed]:
    """Proposed services, the most urgent first; at one date the one where waiting costs most."""
    urgency = (PlanItem.service_by, (PlanItem.cost_if_waiting - PlanItem.cost_now).desc().nulls_last(), Machine.key)
    query = _lines(plan, site, line).where(PlanItem.service_by.is_not(None)).order_by(*urgency)
    return [Proposed(item, machine) for item, machine in session.execute(query.limit(limit).offset(offset))]


def left_out(
    session: Session, plan: Plan, site: str | None, line: str | None, limit: int, offset: int
) -> list[Proposed]:
    """Machines without a service, the riskiest first and those without a risk before them: they need a look."""
    order = (PlanItem.probability_by_then.desc().nulls_first(), Machine.key)
    query = _lines(plan, site, line).where(PlanItem.service_by.is_(None)).order_by(*order)
    return [Proposed(item, machine) for item, machine in session.execute(query.limit(limit).offset(offset))]


class Deferred(NamedTuple):
    """A deferral in force with its machine."""

    deferral: PlanDeferral
    machine: Machine


def deferred(session: Session, now: datetime) -> list[Deferred]:
    """The first to end comes first."""
    newest = select(func.max(PlanDeferral.id)).group_by(PlanDeferral.machine_id).scalar_subquery()
    query = (
        select(PlanDeferral, Machine)
        .join(Machine, Machine.id == PlanDeferral.machine_id)
        .where(PlanDeferral.id.in_(newest), PlanDeferral.until > now)
        .order_by(PlanDeferral.until, Machine.key)
    )
    return [Deferred(deferral, machine) for deferral, machine in session.execute(query)]


def deferral_of(session: Session, machine_id: int, now: datetime) -> PlanDeferral | None:
    """The one in force."""
    newest = select(PlanDeferral).where(PlanDeferral.machine_id == machine_id).order_by(PlanDeferral.id.desc())
    deferral = session.scalar(newest.limit(1))
    return deferral if deferral is not None and deferral.until > now else None


class Totals(NamedTuple):
    """Sums are over services whose cost is known, None where none is; of `unpriced` ones it is not."""

    services: int
    unpriced: int
    left_out: int
    cost_now: float | None
    cost_if_waiting: float | None


def totals(session: Session, plan: Plan, site: str | None, line: str | None) -> Totals:
    planned = PlanItem.service_by.is_not(None)
    query = select(
        func.count().filter(planned),
        func.count().filter(planned, PlanItem.cost_now.is_(None)),
        func.count().filter(~planned),
        func.sum(PlanItem.cost_now).filter(planned),
        func.sum(PlanItem.cost_if_waiting).filter(planned),
    )
    joined = query.select_from(PlanItem).join(Machine, Machine.id == PlanItem.machine_id)
    return Totals(*session.execute(joined.where(*_chosen(plan, site, line))).one())


def _lines(plan: Plan, site: str | None, line: str | None) -> Select[PlanItem, Machine]:
    joined = select(PlanItem, Machine).join(Machine, Machine.id == PlanItem.machine_id)
    return joined.where(*_chosen(plan, site, line))


def _chosen(plan: Plan, site: str | None, line: str | None) -> list[ColumnElement[bool]]:
    chosen = [PlanItem.plan_id == plan.id]
    if site is not None:
        chosen.append(Machine.site == site)
    if line is not None:
        chosen.append(Machine.line == line)
    return chosen
