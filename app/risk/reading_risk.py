"""From stored rows to what the API and the pages say of a machine's risk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping

from app.risk.assess import STATUS_HORIZON_HOURS, Assessment, Known, Limits, assess, expected_loss, stale_after
from app.risk.curve import Curve, fault, hours_text, make_curve
from app.risk.schemas import (
    HorizonRisk,
    ModelNamed,
    RankedMachine,
    ReasonOut,
    RemainingLife,
    RiskOut,
)
from app.risk.store import Watched
from app.risk.tables import Model, Prediction
from app.settings import Settings


def limits_of(settings: Settings) -> Limits:
    return Limits(
        settings.warn_probability,
        settings.alarm_probability,
        settings.silent_after,
        stale_after(settings.bucket, settings.scoring_within),
    )


def curve_of(horizons_hours: Sequence[float] | None, probabilities: Sequence[float] | None) -> Curve | None:
    """None where nothing usable was predicted."""
    if horizons_hours is None or probabilities is None or fault(horizons_hours, probabilities):
        return None
    return make_curve(horizons_hours, probabilities)


def status_probability(curve: Curve | None) -> float | None:
    return curve.probability(min(STATUS_HORIZON_HOURS, curve.longest_hours)) if curve else None


def assessment_of(watched: Watched, settings: Settings, now: datetime) -> Assessment:
    prediction, machine = watched.prediction, watched.machine
    if prediction is None:
        known = Known(watched.last_reading_at, None, None, None, machine.decommissioned_at)
    else:
        curve = curve_of(prediction.horizons_hours, prediction.probabilities)
        known = Known(
            watched.last_reading_at,
            prediction.as_of,
            status_probability(curve),
            prediction.not_enough_data,
            machine.decommissioned_at,
        )
    return assess(known, limits_of(settings), now)


def risk_out(watched: Watched, settings: Settings, now: datetime) -> RiskOut:
    """One machine: what its served prediction says, and what that means now.

    Without a usable risk no number of it, and of the reasons only that the machine is unlike itself.
    """
    assessment, said, model = assessment_of(watched, settings, now), watched.prediction, watched.model
    if said is None or model is None:
        return RiskOut(
            machine=watched.machine.key,
            status=assessment.status,
            not_enough_data=assessment.reason,
            last_reading_at=watched.last_reading_at,
        )
    return RiskOut(
        machine=watched.machine.key,
        status=assessment.status,
        not_enough_data=assessment.reason,
        last_reading_at=watched.last_reading_at,
        as_of=said.as_of,
        scored_at=said.scored_at,
        model=ModelNamed(id=model.id, kind=model.kind, trained_until=model.trained_until),
        probabilities=_horizons(said, model) if assessment.usable else [],
        by_mode=_by_mode(said) if assessment.usable else {},
        remaining_life_hours=_remaining_life(said) if assessment.usable else None,
        anomaly_score=None if assessment.outdated else said.anomaly_score,
        reasons=_reasons(said, assessment),
        coverage=said.coverage,
    )


def _horizons(said: Prediction, model: Model) -> list[HorizonRisk]:
    judged = _judged_failures(model)
    unknown: list[None] = [None] * len(said.horizons_hours)
    low: Sequence[float | None] = said.probabilities_low or unknown
    high: Sequence[float | None] = said.probabilities_high or unknown
    return [
        HorizonRisk(
            horizon=hours_text(hours),
            horizon_hours=hours,
            probability=probability,
            low=below,
            high=above,
            judged_failures=judged.get(hours),
        )
        for hours, probability, below, above in zip(
            said.horizons_hours, said.probabilities or [], low, high, strict=False
        )
    ]


def _judged_failures(model: Model) -> dict[float, int | None]:
    """By hours ahead, as far as its card tells."""
    horizons = model.card.get("horizons")
    return {each["hours"]: each.get("failures") for each in horizons} if isinstance(horizons, list) else {}


def _by_mode(said: Prediction) -> dict[str, list[HorizonRisk]]:
    return {mode: _along(said.horizons_hours, risks) for mode, risks in said.modes.items()}


def _reasons(said: Prediction, assessment: Assessment) -> list[ReasonOut]:
    if assessment.outdated:
        return []
    reasons = [ReasonOut.model_validate(reason) for reason in said.reasons]
    return [each for each in reasons if assessment.usable or each.speaks_without_risk]


def _along(horizons_hours: Sequence[float], risks: object) -> list[HorizonRisk]:
    values = risks if isinstance(risks, list) else []
    return [
        HorizonRisk(horizon=hours_text(hours), horizon_hours=hours, probability=float(risk))
        for hours, risk in zip(horizons_hours, values, strict=False)
        if isinstance(risk, int | float)
    ]


def _remaining_life(said: Prediction) -> RemainingLife | None:
    """A bound at the longest horizon was capped there: the machine may well live longer."""
    if said.remaining_life_median_hours is None:
        return None
    return RemainingLife(
        low=said.remaining_life_low_hours,
        median=said.remaining_life_median_hours,
        high=said.remaining_life_high_hours,
        beyond_longest_horizon=said.remaining_life_median_hours >= said.horizons_hours[-1],
    )


def ranking_question(
    settings: Settings,
    now: datetime,
    horizon_hours: float,
    *,
    limit: int,
    offset: int = 0,
    site: str | None = None,
    line: str | None = None,
    q: str | None = None,
    status: str | None = None,
    min_probability: float | None = None,
) -> dict[str, object]:
    """What `ranked_fleet` needs to know."""
    limits = limits_of(settings)
    return {
        "horizon_hours": horizon_hours,
        "status_horizon_hours": STATUS_HORIZON_HOURS,
        "min_probability": min_probability,
        "site": site,
        "line": line,
        "q": q,
        "status": status,
        "limit": limit,
        "offset": offset,
        "now": now,
        "silent_since": now - limits.silent_after,
        "stale_since": now - limits.stale_after,
        "warn_probability": limits.warn_probability,
        "alarm_probability": limits.alarm_probability,
        "default_failure_cost": settings.failure_cost,
    }


def ranked_machine(row: RowMapping, settings: Settings, now: datetime) -> RankedMachine:
    """One line of the ranking. Of a risk that is not usable no number is shown."""
    known = Known(
        row["last_reading_at"],
        row["as_of"],
        status_probability(curve_of(row["horizons_hours"], row["probabilities"])),
        row["not_enough_data"],
        row["decommissioned_at"],
    )
    assessment = assess(known, limits_of(settings), now)
    probability = row["probability"] if assessment.usable else None
    before, life = row["probability_before"], row["remaining_life_median_hours"]
    change = None if probability is None or before is None else probability - before
    return RankedMachine(
        machine=row["key"],
        name=row["name"],
        site=row["site"],
        line=row["line"],
        asset_class=row["asset_class"],
        status=assessment.status,
        not_enough_data=assessment.reason,
        last_reading_at=row["last_reading_at"],
        as_of=row["as_of"],
        probability=probability,
        change_since_day_before=change,
        failure_cost=row["failure_cost"],
        failure_cost_is_default=row["own_failure_cost"] is None,
        expected_loss=None if probability is None else expected_loss(probability, row["failure_cost"]),
        remaining_life_median_hours=life if assessment.usable else None,
        anomaly_score=None if assessment.outdated else row["anomaly_score"],
        first_reason=None if assessment.outdated else row["first_reason"],
    )
