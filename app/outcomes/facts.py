"""SQL for what the ledger judges from: alerts as they were served, events, findings, and who had spoken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.fleet.event_rule import INSPECTION, PREVENTIVE, REPLACEMENT
from app.fleet.tables import Event as StoredEvent
from app.fleet.tables import EventKind, Machine, WithdrawnEvent
from app.orders.finding_rule import Outcome as Found
from app.orders.tables import WorkFinding, WorkOrder
from app.outcomes.judging import Outcome, Subject
from app.outcomes.life import Alert, Event, Life, Look, Reason, Said
from app.outcomes.revising import Entry, Withdrawal
from app.outcomes.tables import OutcomeMark, OutcomeRevision, ServedAlert
from app.risk.assess import STATUS_HORIZON_HOURS
from app.risk.curve_sql import probability_at
from app.risk.history_store import SERVED_WHEN_SCORED
from app.risk.reading_risk import limits_of
from app.settings import Settings

HORIZON = f"least({STATUS_HORIZON_HOURS}, p.horizons_hours[cardinality(p.horizons_hours)])"
# What the pages showed as a machine's risk: usable, not stale, and of the model that served when it was scored. A
# shadow's never was, and neither was what somebody scored afterwards for a time long past.
SERVED = f"""predictions p
    WHERE p.machine_id = m.id AND p.not_enough_data IS NULL AND p.probabilities IS NOT NULL AND {SERVED_WHEN_SCORED}
        AND p.scored_at <= p.as_of + CAST(:stale_after AS interval)"""
# The threshold is `app.risk.assess`'s, the plant's. A score may come again for a time that was looked at already,
# of the next model too: the first that warned counts.
NOTE = text(f"""
    INSERT INTO served_alerts (machine_id, as_of, model_id, probability, threshold, horizon_hours, scored_at)
    SELECT m.id, said.as_of, said.model_id, said.probability, :threshold, said.horizon_hours, said.scored_at
    FROM machines m LEFT JOIN outcome_marks mark ON mark.machine_id = m.id
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (p.as_of) p.as_of, p.model_id, p.scored_at, {HORIZON} AS horizon_hours,
            {probability_at(HORIZON)} AS probability
        FROM {SERVED}
            AND p.as_of > coalesce(mark.looked_until - CAST(:stale_after AS interval), '-infinity')
            AND {probability_at(HORIZON)} >= :threshold
        ORDER BY p.as_of, p.scored_at
    ) said
    WHERE m.id = ANY(:ids)
    ON CONFLICT DO NOTHING RETURNING machine_id
""")  # noqa: S608  (text of our own)
TOLD = text("""
    SELECT m.id, concat_ws(' ', extract(epoch FROM m.decommissioned_at), event.n, withdrawn.n, finding.n) AS told
    FROM machines m
    CROSS JOIN LATERAL (
        SELECT count(*) + count(ended_at) AS n FROM events WHERE machine_id = m.id AND kind <> 'fault_code'
    ) event
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM withdrawn_events WHERE machine_id = m.id) withdrawn
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM work_orders o JOIN work_findings f ON f.work_order_id = o.id
        WHERE o.machine_id = m.id
    ) finding
    WHERE m.id = ANY(:ids)
""")
SAID = text(f"""
    SELECT m.id, wrong.at, said.as_of, said.model_id, said.horizon_hours
    FROM machines m
    CROSS JOIN LATERAL (
        SELECT started_at AS at FROM events WHERE machine_id = m.id AND kind = 'failure'
        UNION
        SELECT f.started_at
        FROM work_orders o JOIN work_findings f ON f.work_order_id = o.id AND f.version = o.version
        WHERE o.machine_id = m.id AND f.outcome = 'fault_found'
    ) wrong
    CROSS JOIN LATERAL (
        SELECT p.as_of, p.model_id, {HORIZON} AS horizon_hours FROM {SERVED}
            AND p.as_of <= wrong.at AND p.scored_at <= wrong.at
            AND NOT EXISTS (
                SELECT FROM events visit
                WHERE visit.machine_id = m.id AND visit.kind IN ('failure', 'service')
                    AND visit.started_at < p.as_of AND visit.ended_at > p.as_of
            )
        ORDER BY p.as_of DESC, p.scored_at DESC LIMIT 1
    ) said
    WHERE m.id = ANY(:ids)
""")  # noqa: S608
SEEN = text(f"""
    SELECT m.id, seen.as_of FROM machines m
    CROSS JOIN LATERAL (SELECT p.as_of FROM {SERVED} ORDER BY p.as_of DESC LIMIT 1) seen
    WHERE m.id = ANY(:ids)
""")  # noqa: S608


def note_alerts(session: Session, settings: Settings, ids: Collection[int]) -> set[int]:
    """Keep what was served above the threshold since the last look; the machines with something new."""
    limits = limits_of(settings)
    given = {"ids": list(ids), "threshold": limits.warn_probability, "stale_after": limits.stale_after}
    return set(session.scalars(NOTE, given))


def told_of(session: Session, ids: Collection[int]) -> dict[int, str]:
    """By machine a word that differs whenever an event or a finding was told, ended or taken back."""
    return {row.id: row.told for row in session.execute(TOLD, {"ids": list(ids)})}


def marks(session: Session, ids: Collection[int]) -> dict[int, str]:
    """By machine what had been told when it was last judged."""
    rows = session.execute(select(OutcomeMark).where(OutcomeMark.machine_id.in_(ids))).scalars()
    return {mark.machine_id: mark.told for mark in rows}


def lives(session: Session, settings: Settings, machines: Sequence[Machine], now: datetime) -> dict[int, Life]:
    """By machine what is known of it; a decommissioning still ahead is none."""
    ids = [machine.id for machine in machines]
    asked = {"ids": ids, "stale_after": limits_of(settings).stale_after}
    alerts, looks = _alerts(session, ids), _looks(session, ids)
    failures, services = (_events(session, ids, kind) for kind in (EventKind.FAILURE, EventKind.SERVICE))
    said: dict[int, dict[datetime, Said]] = defaultdict(dict)
    for machine_id, at, as_of, model_id, hours in session.execute(SAID, asked):
        said[machine_id][at] = Said(as_of, model_id, timedelta(hours=hours))
    seen = {row.id: row.as_of for row in session.execute(SEEN, asked)}
    return {
        each.id: Life(
            alerts[each.id],
            failures[each.id],
            services[each.id],
            looks[each.id],
            said[each.id],
            seen.get(each.id),
            each.decommissioned_at if each.decommissioned_at and each.decommissioned_at <= now else None,
        )
        for each in machines
    }


def _alerts(session: Session, ids: Collection[int]) -> dict[int, list[Alert]]:
    by_machine: dict[int, list[Alert]] = defaultdict(list)
    columns = (ServedAlert.as_of, ServedAlert.horizon_hours, ServedAlert.model_id)
    told = (ServedAlert.probability, ServedAlert.threshold, ServedAlert.scored_at)
    query = select(ServedAlert.machine_id, *columns, *told)
    ordered = query.where(ServedAlert.machine_id.in_(ids)).order_by(ServedAlert.machine_id, ServedAlert.as_of)
    for machine_id, as_of, hours, model_id, probability, threshold, scored_at in session.execute(ordered):
        alert = Alert(as_of, timedelta(hours=hours), model_id, probability, threshold, scored_at)
        by_machine[machine_id].append(alert)
    return by_machine


def _events(session: Session, ids: Collection[int], kind: EventKind) -> dict[int, list[Event]]:
    by_machine: dict[int, list[Event]] = defaultdict(list)
    wanted = select(StoredEvent).where(StoredEvent.machine_id.in_(ids), StoredEvent.kind == kind)
    for each in session.scalars(wanted.order_by(StoredEvent.started_at, StoredEvent.id)):
        renews = each.code in (PREVENTIVE, REPLACEMENT) and each.component is None
        event = Event(each.id, each.started_at, each.ended_at, each.recorded_at, renews, each.code == INSPECTION)
        by_machine[each.machine_id].append(event)
    return by_machine


def _looks(session: Session, ids: Collection[int]) -> dict[int, list[Look]]:
    """Of the newest finding of each order."""
    by_machine: dict[int, list[Look]] = defaultdict(list)
    newest = (WorkOrder.id == WorkFinding.work_order_id) & (WorkOrder.version == WorkFinding.version)
    query = select(WorkOrder.machine_id, WorkFinding).join(WorkFinding, newest).where(WorkOrder.machine_id.in_(ids))
    for machine_id, found in session.execute(query.order_by(WorkFinding.started_at, WorkFinding.id)):
        at = found.failed_at or found.started_at
        by_machine[machine_id].append(Look(at, Found(found.outcome), found.work_order_id))
    return by_machine


def entries(session: Session, ids: Collection[int]) -> dict[int, list[Entry]]:
    """By machine the newest revisions."""
    by_machine: dict[int, list[Entry]] = {each: [] for each in ids}
    entry = (OutcomeRevision.machine_id, OutcomeRevision.subject, OutcomeRevision.at)
    newest = select(OutcomeRevision).ext(distinct_on(*entry)).order_by(*entry, OutcomeRevision.revision.desc())
    for row in session.scalars(newest.where(OutcomeRevision.machine_id.in_(ids))):
        by_machine[row.machine_id].append(
            Entry(
                Subject(row.subject),
                row.at,
                row.revision,
                Outcome(row.outcome),
                Reason(row.reason),
                row.decided_at,
                row.model_id,
                row.horizon_hours,
                row.event_id,
                row.work_order_id,
                row.serviced,
                row.predicted_until,
            )
        )
    return by_machine


def withdrawals(session: Session, ids: Collection[int]) -> dict[int, Withdrawal]:
    """By the number of the event."""
    rows = session.scalars(select(WithdrawnEvent).where(WithdrawnEvent.machine_id.in_(ids)))
    return {row.event_id: Withdrawal(row.kind, row.started_at, row.withdrawn_by, row.why) for row in rows}
