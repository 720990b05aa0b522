"""Keeping the ledger: what was served becomes alerts, alerts and what happened become entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.fleet.tables import Machine
from app.outcomes import facts, store
from app.outcomes.judging import judge
from app.outcomes.life import Life
from app.outcomes.money import Costs, money_of
from app.outcomes.revising import Revision, remembering, revisions
from app.planning.actions import costs_of_plant, own_costs
from app.planning.assembly import costs_of, needs_of
from app.planning.renewed_life import Rates
from app.planning.resource_schemas import Resources
from app.planning.resource_store import resources
from app.planning.store import recorded_repair_hours
from app.risk.reading_risk import limits_of
from app.settings import Settings


def keep(session: Session, settings: Settings, ids: Collection[int], now: datetime) -> int:
    """Bring the ledger of these machines up to date; how many revisions were added. Twice adds nothing."""
    store.lock_ledger(session)
    told, known = facts.told_of(session, ids), facts.marks(session, ids)
    warned = facts.note_alerts(session, settings, ids)
    due = warned | store.undecided(session, ids) | {each for each in told if told[each] != known.get(each)}
    rows = _new_rows(session, settings, due, now) if due else []
    store.add_revisions(session, rows)
    store.mark(session, told, now)
    return len(rows)


def _new_rows(session: Session, settings: Settings, due: Collection[int], now: datetime) -> list[dict[str, Any]]:
    machines = session.scalars(select(Machine).where(Machine.id.in_(due)).order_by(Machine.id)).all()
    lives, kept = facts.lives(session, settings, machines, now), facts.entries(session, due)
    withdrawn, plant = facts.withdrawals(session, due), resources(session)
    repair_hours = recorded_repair_hours(session, now)
    given_up = now - limits_of(settings).stale_after
    return [
        _row(machine, life, revision, _costs(machine, settings, plant, repair_hours), settings.currency, now)
        for machine in machines
        for entries in [kept[machine.id]]
        for life in [remembering(lives[machine.id], entries)]
        for revision in revisions(entries, judge(life, given_up), withdrawn)
    ]


def _costs(
    machine: Machine, settings: Settings, plant: Resources, repair_hours: Mapping[str | None, float]
) -> Costs:
    """As the plan counts them."""
    own, needs = own_costs(machine), needs_of(machine.asset_class, plant)
    costs = costs_of(own, machine.asset_class, needs, repair_hours, costs_of_plant(settings), Rates(0.0, 0.0))
    return Costs(costs.preventive, costs.whole_failure, settings.look_cost)


def _row(
    machine: Machine, life: Life, revision: Revision, costs: Costs, currency: str, now: datetime
) -> dict[str, Any]:
    entry = revision.judgement
    return {
        "machine_id": machine.id,
        "subject": entry.subject,
        "at": entry.at,
        "revision": revision.number,
        "recorded_at": now,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "because": revision.because,
        "decided_at": entry.decided_at,
        "lead_time_hours": entry.lead_time_hours,
        "model_id": entry.model_id,
        "asset_class": machine.asset_class,
        "probability": entry.probability,
        "threshold": entry.threshold,
        "horizon_hours": entry.horizon / timedelta(hours=1) if entry.horizon else None,
        "event_id": entry.event.id if entry.event else None,
        "work_order_id": entry.work_order_id,
        "serviced": entry.serviced,
        "predicted_until": life.predicted_until,
        "preventive_cost": costs.preventive,
        "failure_cost": costs.failure,
        "currency": currency,
        **asdict(money_of(entry, costs)),
    }
