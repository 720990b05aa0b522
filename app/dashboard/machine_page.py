"""The machine page: one machine's state, why, what happened to it, and what its charts are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.dashboard import words
from app.dashboard.charts import share_bar
from app.dashboard.context import (
    EventForm,
    EventView,
    Frame,
    MachinePage,
    ModeShare,
    PastFailure,
    ProposedService,
    Reason,
    RiskView,
)
from app.dashboard.data_page import flag_row
from app.fleet.schemas import EventOut, FailureModeOut
from app.fleet.tables import Machine
from app.risk.schemas import PastFailureOut, ReasonOut, RiskOut
from app.risk.vibration_zones import Zones, zones

MOST_REASONS = 6
# Of a past failure's charts: what came after it is seen too.
AFTERWARDS = timedelta(days=2)
# A mode less likely than this is not what anyone prepares for.
LEAST_MODE_SHARE = 0.02


@dataclass(frozen=True)
class MachineFacts:
    machine: Machine
    risk: RiskOut
    running_hours: float | None
    events: Sequence[EventOut]
    modes: Sequence[FailureModeOut]
    proposed: ProposedService | None
    normals: Mapping[str, float]
    channels: Sequence[str]
    doubts: Sequence[Mapping[str, Any]]
    history: Sequence[tuple[datetime, float | None]]
    horizon_hours: float


def machine_page(frame: Frame, facts: MachineFacts, form: EventForm) -> MachinePage:
    machine = facts.machine
    limits = zones(machine.rated_power_kw, machine.support)
    return MachinePage(
        frame=frame,
        key=machine.key,
        name=machine.name,
        status=str(facts.risk.status),
        facts=_facts(facts),
        configured=machine.configured,
        decommissioned_at=machine.decommissioned_at,
        last_reading_at=facts.risk.last_reading_at,
        risk=_risk(facts),
        proposed=facts.proposed,
        events=tuple(map(_event, facts.events)),
        doubts=tuple(map(flag_row, facts.doubts)),
        modes=tuple((mode.code, mode.words) for mode in facts.modes),
        form=form,
        chart=_chart(facts, limits),
        footnote=_footnote(facts, limits),
    )


def _facts(facts: MachineFacts) -> tuple[str, ...]:
    machine = facts.machine
    rated = [
        f"{words.number(machine.rated_power_kw)} kW" if machine.rated_power_kw else "",
        f"{words.number(machine.rated_current_a)} A" if machine.rated_current_a else "",
    ]
    said = [
        machine.site,
        machine.line,
        machine.asset_class,
        ", ".join(filter(None, rated)),
        f"{machine.support} support" if machine.support else None,
        f"{facts.running_hours:,.0f} running hours" if facts.running_hours is not None else None,
    ]
    return tuple(each for each in said if each)


def _risk(facts: MachineFacts) -> RiskView | None:
    risk = facts.risk
    if risk.as_of is None or risk.model is None:
        return None
    life = risk.remaining_life_hours
    longest = risk.probabilities[-1].horizon_hours if risk.probabilities else None
    return RiskView(
        as_of=risk.as_of,
        usable=risk.not_enough_data is None,
        model=f"{words.model_kind(risk.model.kind)} {risk.model.id}",
        model_id=risk.model.id,
        coverage=risk.coverage or 0.0,
        by_horizon=tuple(
            (words.horizon(each.horizon_hours), each.probability, each.low, each.high)
            for each in risk.probabilities
        ),
        unjudged=tuple(
            words.horizon(each.horizon_hours) for each in risk.probabilities if each.judged_failures == 0
        ),
        life_low_hours=life.low if life else None,
        life_median_hours=_within(life.median, longest) if life else None,
        life_high_hours=_within(life.high, longest) if life else None,
        modes=_modes(facts),
        reasons=_reasons(risk.reasons),
        anomaly_score=risk.anomaly_score,
        not_enough_data=risk.not_enough_data,
    )


def _reasons(said: Sequence[ReasonOut]) -> tuple[Reason, ...]:
    return tuple(
        Reason(each.words, each.share, share_bar(each.share), _past_failure(each.like))
        for each in said[:MOST_REASONS]
    )


def _past_failure(like: PastFailureOut | None) -> PastFailure | None:
    if like is None:
        return None
    return PastFailure(like.machine, f"{like.failed_at.astimezone(UTC) + AFTERWARDS:%Y-%m-%dT%H:%MZ}")


def _within(hours: float | None, longest: float | None) -> float | None:
    """A quantile at the longest horizon was cut there; it lies somewhere beyond."""
    return hours if hours is not None and (longest is None or hours < longest) else None


def _modes(facts: MachineFacts) -> tuple[ModeShare, ...]:
    """Of the risk at the longest horizon, what each mode contributes, most likely first."""
    named = {mode.code: mode.words for mode in facts.modes}
    last = {mode: along[-1].probability for mode, along in facts.risk.by_mode.items() if along}
    total = sum(last.values())
    if total <= 0 or len(last) < 2:
        return ()
    shares = sorted(((risk / total, mode) for mode, risk in last.items()), reverse=True)
    return tuple(
        ModeShare(_mode_words(mode, named), share, share_bar(share))
        for share, mode in shares
        if share >= LEAST_MODE_SHARE
    )


def _mode_words(code: str, named: Mapping[str, str]) -> str:
    said = named.get(code, code)
    return said if said == code else f"{said} ({code})"


def _event(event: EventOut) -> EventView:
    return EventView(event.kind, event.code, event.component, event.started_at, event.ended_at, event.note)


def _chart(facts: MachineFacts, limits: Zones | str) -> dict[str, Any]:
    """What the page's script needs beside the readings it fetches itself."""
    named = {key: words.channel(key) for key in facts.channels}
    return {
        "status": str(facts.risk.status),
        "horizon": words.horizon(facts.horizon_hours),
        "zones": None
        if isinstance(limits, str)
        else {"ab": limits.ab_mm_s, "bc": limits.bc_mm_s, "cd": limits.cd_mm_s},
        "channels": {
            key: {"name": name, "unit": unit, "normal": facts.normals.get(key)}
            for key, (name, unit) in named.items()
        },
        "events": [
            {"at": event.started_at.isoformat(), "kind": event.kind, "words": _event_words(event)}
            for event in facts.events
        ],
        "history": {
            "t": [at.isoformat() for at, _ in facts.history],
            "probability": [probability for _, probability in facts.history],
        },
        "curve": _curve(facts),
    }


def _event_words(event: EventOut) -> str:
    detail = ", ".join(each for each in (event.code, event.component) if each)
    return f"{words.event_kind(event.kind)}: {detail}" if detail else words.event_kind(event.kind)


def _curve(facts: MachineFacts) -> dict[str, Any] | None:
    risk = facts.risk
    if not risk.probabilities or risk.as_of is None:
        return None
    low = [each.low for each in risk.probabilities]
    high = [each.high for each in risk.probabilities]
    sure = None not in low and None not in high
    due = facts.proposed.service_by if facts.proposed else None
    return {
        "days": [0.0, *(each.horizon_hours / 24 for each in risk.probabilities)],
        "probability": [0.0, *(each.probability for each in risk.probabilities)],
        "low": [0.0, *low] if sure else None,
        "high": [0.0, *high] if sure else None,
        "service_day": (due - risk.as_of).total_seconds() / 86400 if due else None,
    }


def _footnote(facts: MachineFacts, limits: Zones | str) -> str:
    parts = []
    if "vibration_mm_s" in facts.channels:
        parts.append(limits if isinstance(limits, str) else f"zones: {limits.source}")
    if facts.normals:
        parts.append("dashed: this machine's own normal, the median before last week")
    parts.append("band: lowest and highest reading · drag to zoom, all move together; double-click to go back")
    return " · ".join(parts)
