"""The reasons of a plan in words and money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app.risk.curve import hours_text


class Priced(Protocol):
    """What the words need to know of a machine's costs."""

    @property
    def preventive(self) -> float: ...
    @property
    def failure(self) -> float: ...
    @property
    def preventive_is_default(self) -> bool: ...
    @property
    def failure_is_default(self) -> bool: ...


@dataclass(frozen=True)
class Words:
    """`step` is how exact the dates are: whole days are written without a time of day."""

    currency: str
    step: timedelta

    def planned(
        self,
        service_by: datetime,
        later: datetime,
        risk: float,
        risk_later: float,
        extra: float,
        costs: Priced,
        *,
        at_once: bool,
    ) -> str:
        when = f"now, {self.date(service_by)}" if at_once else self.date(service_by)
        if later <= service_by:
            return f"{when} is the end of what the model sees: risk {percent(risk)}. {self.costs(costs)}"
        return (
            f"Waiting until {self.date(later)} instead of {when}: risk {number(risk)} → {percent(risk_later)}, "
            f"expected extra cost {self.money(extra)}. {self.costs(costs)}"
        )

    def left_out(
        self,
        soon: tuple[float, float],
        longest: tuple[float, float],
        saved: float,
        costs: Priced,
        *,
        economic: bool,
    ) -> str:
        """`saved` is what not servicing now saves over the longest horizon; negative where it costs."""
        said = ", ".join(f"{percent(risk)} in {hours_text(hours)}" for hours, risk in dict((soon, longest)).items())
        if saved > 0:
            return f"{said}: servicing now would cost {self.money(saved)} more than it saves. {self.costs(costs)}"
        if economic:
            return f"{said}: waiting loses less than it is worth planning for. {self.costs(costs)}"
        return (
            f"{said}: below the plan's threshold, though servicing now would save {self.money(-saved)}. "
            f"{self.costs(costs)}"
        )

    def costs(self, costs: Priced) -> str:
        failure, service = self.money(costs.failure), self.money(costs.preventive)
        return (
            f"A failure costs {failure}{_default(costs.failure_is_default)}, "
            f"a service {service}{_default(costs.preventive_is_default)}."
        )

    def money(self, amount: float) -> str:
        return f"{'-' if round(amount) < 0 else ''}{self.currency}{abs(round(amount)):,}"

    def date(self, moment: datetime) -> str:
        day = f"{moment:%a} {moment.day} {moment:%b}"
        return day if self.step >= timedelta(days=1) else f"{day} {moment:%H:%M}"


def _default(is_default: bool) -> str:
    return " (default)" if is_default else ""


def percent(probability: float) -> str:
    return f"{number(probability)} %"


def number(probability: float) -> str:
    """Never 0 for a risk that is there, nor 100 for one that is not certain."""
    if 0 < probability < 0.005:
        return "below 1"
    return "over 99" if probability >= 0.995 else f"{probability * 100:.0f}"
