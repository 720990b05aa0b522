"""What an outcome was worth: an estimate against a machine without warnings, which would have failed."""

from __future__ import annotations

from dataclasses import dataclass

from app.outcomes.judging import Judgement, Outcome
from app.outcomes.life import Reason


@dataclass(frozen=True)
class Costs:
    """Of one machine: a service, a failure with the production lost in its repair, and a look for nothing."""

    preventive: float
    failure: float
    look: float


@dataclass(frozen=True)
class Money:
    """`saved`: failures prevented, less their services; `spent`: on false warnings; `lost`: by failures."""

    saved: float = 0.0
    spent: float = 0.0
    lost: float = 0.0


def money_of(entry: Judgement, costs: Costs) -> Money:
    """Nothing for what is open or unknown. A failure that was warned of has cost what any failure costs."""
    if entry.reason is Reason.FAULT_FOUND:
        return Money(saved=costs.failure - costs.preventive)
    if entry.outcome in (Outcome.HIT, Outcome.MISSED):
        return Money(lost=costs.failure)
    if entry.outcome is Outcome.FALSE:
        return Money(spent=costs.preventive if entry.serviced else costs.look)
    return Money()
