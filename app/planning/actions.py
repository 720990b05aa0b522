"""Making a plan: from what is served of every machine to proposed services with their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.announce import announce
from app.planning import store
from app.planning.optimiser import HIGHEST_COST, Costs, Threshold, propose
from app.planning.renewed_life import Rates, renewed_rates
from app.risk.assess import STATUS_HORIZON_HOURS, Assessment
from app.risk.curve import Curve
from app.risk.reading_risk import assessment_of, curve_of
from app.risk.store import Watched, watched_fleet
from app.settings import Settings


@dataclass(frozen=True)
class MadePlan:
    """`summary` is one sentence for logs and the command line."""

    id: int
    services: int
    left_out: int

    @property
    def summary(self) -> str:
        return f"Plan {self.id}: {self.services} services proposed, {self.left_out} machines left out."


def make_plan(session: Session, settings: Settings, as_of: datetime) -> MadePlan:
    """Propose a service for every machine that calls for one, and say of every other why it has none."""
    fleet = [(watched, assessment_of(watched, settings, as_of)) for watched in watched_fleet(session)]
    usable = [curve for watched, assessment in fleet if (curve := _usable_curve(watched, assessment))]
    rates = renewed_rates(store.lived(session, as_of), usable)
    items = [_item(watched, assessment, rates, settings, as_of) for watched, assessment in fleet]
    plan_id = store.keep_plan(session, as_of, items)
    announce(session, "plan")
    planned = sum(item["service_by"] is not None for item in items)
    return MadePlan(plan_id, planned, len(items) - planned)


def _usable_curve(watched: Watched, assessment: Assessment) -> Curve | None:
    said = watched.prediction
    if said is None or assessment.reason is not None:
        return None
    return curve_of(said.horizons_hours, said.probabilities)


def _item(
    watched: Watched, assessment: Assessment, rates: Rates, settings: Settings, as_of: datetime
) -> dict[str, Any]:
    curve, said = _usable_curve(watched, assessment), watched.prediction
    item: dict[str, Any] = {
        "machine_id": watched.machine.id,
        "prediction_id": said.id if said else None,
        "currency": settings.currency,
    }
    if curve is None or said is None:
        unknown = dict.fromkeys(("service_by", "probability_by_then", "cost_now", "cost_if_waiting"))
        return item | unknown | {"reason": f"Not planned, {assessment.reason}."}
    proposal = propose(
        curve, _costs(watched, rates, settings), _threshold(settings), said.as_of, as_of, settings.currency
    )
    return item | vars(proposal)


def _costs(watched: Watched, rates: Rates, settings: Settings) -> Costs:
    own_preventive, own_failure = watched.machine.preventive_cost, watched.machine.failure_cost
    preventive = min(settings.preventive_cost if own_preventive is None else own_preventive, HIGHEST_COST)
    failure = min(settings.failure_cost if own_failure is None else own_failure, HIGHEST_COST)
    return Costs(
        preventive,
        failure,
        rates.cost_per_hour(preventive, failure),
        preventive_is_default=own_preventive is None,
        failure_is_default=own_failure is None,
    )


def _threshold(settings: Settings) -> Threshold:
    """The same risks as on the pages: a warning soon, or an alarm anywhere within the longest horizon."""
    return Threshold(STATUS_HORIZON_HOURS, settings.warn_probability, settings.alarm_probability)
