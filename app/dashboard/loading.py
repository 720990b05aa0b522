"""Reads what each page needs from the rooms that own it; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.dashboard import store, words
from app.dashboard.context import ProposedService
from app.dashboard.data_page import DataFacts
from app.dashboard.fleet_page import MOST_CHANGES, MOST_FULL_TILES, Asked, FleetFacts, silent_machines
from app.dashboard.machine_page import MachineFacts
from app.dashboard.models_page import MODELS_PER_PAGE, ModelFacts, ModelsAsked
from app.dashboard.plan_context import Deferred, LeftOut
from app.dashboard.plan_page import PlanFacts
from app.fleet.actions import failure_modes_of
from app.fleet.failure_modes import FailureModes
from app.fleet.store import list_events, machine_by_key
from app.ingest import account, ledger
from app.ingest.flags import flags
from app.jobs.trainings import failed_trainings
from app.orders import store as order_store
from app.orders.states import DECIDED
from app.orders.store import OrderFilter
from app.planning import resource_store
from app.planning import store as planning_store
from app.planning.assembly import CREW
from app.planning.resource_rule import DAY_KEY
from app.planning.resource_schemas import CrewIn
from app.planning.tables import Plan
from app.risk import model_store
from app.risk import store as risk_store
from app.risk.assess import STATUS_HORIZON_HOURS
from app.risk.history_store import history
from app.risk.model_search import ModelSearch
from app.risk.ranking_store import ranked_fleet
from app.risk.reading_risk import ranked_machine, ranking_question, risk_out
from app.risk.tables import Model
from app.settings import Settings

# Beyond this many machines a fleet is looked at by site or line.
MOST_MACHINES = 5000
MOST_EVENTS = 200
MOST_LEFT_OUT = 500
HISTORY = timedelta(days=365)
DAY = timedelta(days=1)
# What came longer ago is told over HTTP; the page says what is wrong now.
COUNTED_FOR = DAY
MOST_DATA_ROWS = 100
MOST_DOUBTS = 10


def fleet_facts(session: Session, settings: Settings, now: datetime, asked: Asked) -> FleetFacts:
    model, plan = risk_store.champion(session), planning_store.newest_plan(session)
    ranked = ranking(session, settings, now, asked, model)
    ids = [row["machine_id"] for row in ranked] if len(ranked) <= MOST_FULL_TILES else []
    sites, lines = store.sites_and_lines(session)
    return FleetFacts(
        ranked=ranked,
        sparks=store.sparks(session, ids, now, store.spark_window(settings.bucket)),
        services={each.key: each.service_by for each in proposed_services(session, plan)},
        events=store.recent_events(session, now - DAY, MOST_CHANGES),
        sites=sites,
        lines=lines,
        horizon_hours=status_horizon(model),
        warn_probability=settings.warn_probability,
        model=f"{words.model_kind(model.kind)} {model.id}" if model else None,
    )


def status_horizon(model: Model | None) -> float:
    return min(STATUS_HORIZON_HOURS, model.horizons_hours[-1]) if model else STATUS_HORIZON_HOURS


def ranking(
    session: Session, settings: Settings, now: datetime, asked: Asked, model: Model | None
) -> list[Mapping[str, Any]]:
    given = ranking_question(
        settings,
        now,
        status_horizon(model),
        limit=MOST_MACHINES,
        site=asked.site or None,
        line=asked.line or None,
        q=asked.search or None,
    )
    _, rows = ranked_fleet(session, "expected_loss", given)
    judged = ((row, ranked_machine(row, settings, now)) for row in rows)
    return [{**row, "status": str(said.status), "reason": said.not_enough_data} for row, said in judged]


def proposed_services(session: Session, plan: Plan | None) -> list[ProposedService]:
    """In the order of their dates."""
    found = planning_store.services(session, plan, None, None, MOST_MACHINES, 0) if plan else []
    return [service for each in found if (service := _proposed(each)) is not None]


def plan_page_facts(session: Session, now: datetime) -> PlanFacts:
    plan = planning_store.newest_plan(session)
    left_out = planning_store.left_out(session, plan, None, None, MOST_LEFT_OUT, 0) if plan else []
    orders, _ = order_store.list_orders(session, OrderFilter(DECIDED), MOST_MACHINES, 0)
    resources = resource_store.resources(session).ahead(now)
    days = dict.fromkeys(planning_store.windows_used(session, plan)) if plan else {}
    return PlanFacts(
        plan=plan,
        services=proposed_services(session, plan),
        left_out=[
            LeftOut(
                each.machine.key,
                each.machine.line,
                each.item.reason,
                each.item.probability_by_then is not None,
            )
            for each in left_out
        ],
        left_out_in_all=planning_store.totals(session, plan, None, None).left_out if plan else 0,
        orders=[order_store.order_out(each) for each in orders],
        crews=planned_crews(session),
        windows=[*(each.key for each in resources.windows), *(key for key in days if key.startswith(DAY_KEY))],
        deferred=[
            Deferred(each.machine.key, each.deferral.until, each.deferral.why)
            for each in planning_store.deferred(session, now)
        ],
    )


def planned_crews(session: Session) -> list[CrewIn]:
    """Those that plans reckon with."""
    return resource_store.resources(session).crews or [CREW]


def _proposed(proposed: planning_store.Proposed) -> ProposedService | None:
    item, machine = proposed
    if item.service_by is None:
        return None
    return ProposedService(
        key=machine.key,
        name=machine.name,
        line=machine.line,
        service_by=item.service_by,
        ends_at=item.ends_at,
        crew=item.crew,
        probability_by_then=item.probability_by_then,
        cost_now=item.cost_now,
        cost_if_waiting=item.cost_if_waiting,
        reason=item.reason,
    )


def model_facts(session: Session, asked: ModelsAsked) -> ModelFacts:
    search = ModelSearch(
        kind=asked.kind or None,
        status=asked.status or None,
        sort="standing",
        limit=MODELS_PER_PAGE,
        offset=(asked.page - 1) * MODELS_PER_PAGE,
    )
    models, total = model_store.list_models(session, search)
    serving = risk_store.champion(session)
    report = model_store.newest_report(session, serving.id) if serving else None
    return ModelFacts(models, total, failed_trainings(session), model_store.kinds(session), report)


def data_facts(session: Session, settings: Settings, now: datetime, sender: str, machine: str) -> DataFacts:
    """Of one sender and one machine where they are given. Raises NotFound for a machine nobody has named."""
    one = machine_by_key(session, machine) if machine else None
    machine_id = one.id if one else None
    asked = ledger.Asked(machine=machine or None, sender=sender or None, limit=MOST_DATA_ROWS)
    by: account.By = "sender and machine" if sender and machine else "machine" if sender else "sender"
    found, total = flags(session, machine_id, None, None, MOST_DATA_ROWS, 0)
    narrowed = bool(sender or machine)
    ranked = [] if narrowed else ranking(session, settings, now, Asked(), risk_store.champion(session))
    since = now - COUNTED_FOR
    return DataFacts(
        silent=silent_machines(ranked, now),
        accounts=account.arrivals_page(
            session, now, by, sender or None, machine_id, since, limit=MOST_DATA_ROWS, offset=0
        ),
        flags=[] if sender else found,
        flags_total=0 if sender else total,
        rejected=ledger.rejected(session, asked).items,
        conflicts=ledger.conflicts(session, asked).items,
        totals=store.ledger_sizes(session, sender or None, one),
    )


def machine_facts(
    session: Session, settings: Settings, modes: FailureModes, now: datetime, key: str
) -> MachineFacts:
    """Raises NotFound for a machine nobody has named."""
    watched = risk_store.watched(session, key)
    machine = watched.machine
    hours = status_horizon(watched.model)
    events, _ = list_events(session, machine, None, MOST_EVENTS, 0)
    said = history(session, machine.id, hours, now - HISTORY, now + DAY)
    plan = planning_store.newest_plan(session)
    services = [each for each in proposed_services(session, plan) if each.key == key]
    return MachineFacts(
        machine=machine,
        risk=risk_out(watched, settings, now),
        running_hours=store.running_hours(session, machine.id),
        events=events,
        modes=failure_modes_of(session, modes, machine.asset_class),
        proposed=services[0] if services else None,
        normals=store.own_normals(session, machine.id, now, settings.bucket),
        channels=store.machine_channels(session, machine.id),
        doubts=flags(session, machine.id, None, None, MOST_DOUBTS, 0)[0],
        history=[(row["as_of"], row["probability"]) for row in said],
        horizon_hours=hours,
    )
