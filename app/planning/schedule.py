"""The schedule that people get: which machine when, by whom and why, what is left out, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.planning.agenda import Work, lay_out
from app.planning.choices import NONE, Ints
from app.planning.framing import Framed
from app.planning.pricing import CENTS
from app.planning.problem import Span
from app.planning.reasons import Reasons


@dataclass(frozen=True)
class Service:
    """Work from `starts_at` until `ends_at`, within `window`. `probability_by_then`: of failing before the window.

    `cost`: expected until the plan's end, without set-up; `cost_if_waiting`: the same in the next window.
    """

    machine: str
    window: str
    crew: str
    starts_at: datetime
    ends_at: datetime
    pinned: bool
    probability_by_then: float | None
    cost: float | None
    cost_if_waiting: float | None
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A machine without a service, with its risk and expected cost until the plan's end where they are known."""

    machine: str
    probability: float | None
    cost: float | None
    reason: str


@dataclass(frozen=True)
class Schedule:
    """No plan for the same problem has an expected cost below `bound`. `objections`: what cannot be as asked."""

    services: tuple[Service, ...]
    left_out: tuple[LeftOut, ...]
    objections: tuple[str, ...]
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """By how much of its cost the plan could be cheaper at most."""
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0


def write_up(framed: Framed, chosen: Ints, bound_cents: float) -> Schedule:
    """Services by date and machine, machines left out by risk; those whose risk is not known come first."""
    reasons = Reasons(framed, chosen)
    hours = _hours(framed, chosen)
    services = [_service(framed, job, int(each), reasons, hours) for job, each in enumerate(chosen) if each != NONE]
    left = [_left_out(framed, job, reasons) for job, each in enumerate(chosen) if each == NONE]
    cost = framed.choices.total(chosen)
    return Schedule(
        tuple(sorted(services, key=lambda each: (each.starts_at, each.window, each.machine))),
        tuple(sorted(left, key=lambda each: (-_known(each.probability), each.machine))),
        framed.objections,
        cost / CENTS,
        min(max(bound_cents, 0.0), cost) / CENTS,
    )


def _known(probability: float | None) -> float:
    return 2.0 if probability is None else probability


def _hours(framed: Framed, chosen: Ints) -> dict[str, Span]:
    """By machine when work on it begins and ends."""
    choices, problem = framed.choices, framed.problem
    found: dict[str, Span] = {}
    of_crew: dict[int, list[Work]] = {}
    for number, option in enumerate(chosen):
        if option != NONE:
            job, window = problem.jobs[number], framed.windows[choices.window[option]]
            risk = float(framed.prices.risk[number, choices.window[option]])
            if window.owner is not None:
                found[job.machine] = window.span
            else:
                work = Work(job.machine, window.span, job.minutes, risk)
                of_crew.setdefault(int(choices.crew[option]), []).append(work)
    for crew, works in of_crew.items():
        found |= lay_out(problem.crews[crew], works)
    return found


def _service(framed: Framed, number: int, option: int, reasons: Reasons, hours: dict[str, Span]) -> Service:
    choices, job = framed.choices, framed.problem.jobs[number]
    position = int(choices.window[option])
    window, known = framed.windows[position], job.curve is not None
    return Service(
        job.machine,
        window.key,
        framed.problem.crews[int(choices.crew[option])].key,
        hours[job.machine].start,
        hours[job.machine].end,
        bool(choices.pinned[option]),
        float(framed.prices.risk[number, position]) if known else None,
        float(framed.prices.service[number, position]) / CENTS if known else None,
        reasons.cost_if_waiting(number, position) / CENTS if known else None,
        reasons.planned(number, option),
    )


def _left_out(framed: Framed, number: int, reasons: Reasons) -> LeftOut:
    job, known = framed.problem.jobs[number], framed.problem.jobs[number].curve is not None
    return LeftOut(
        job.machine,
        float(framed.prices.left_risk[number]) if known else None,
        float(framed.prices.left[number]) / CENTS if known else None,
        reasons.left_out(number),
    )
