"""From a plant's machines, risks, costs and resources to the problem that a plan answers; no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.planning.agreed_work import Agreed, with_agreed
from app.planning.machine_costs import Given, MachineCosts, machine_costs
from app.planning.problem import Crew, Deferral, Job, Line, Part, Problem, Setup, Span, Window
from app.planning.renewed_life import Rates
from app.planning.resource_rule import DAY_KEY
from app.planning.resource_schemas import CrewIn, Resources, ServiceIn, Week
from app.planning.shifts import shifts, working_days
from app.risk.curve import Curve

# What nobody described: a morning's work, by one crew of everyday hours.
SERVICE = ServiceIn(hours=4.0)
EVERYDAY = ["08:00-16:00"]
CREW = CrewIn(
    key="crew 1", hours=Week(mon=EVERYDAY, tue=EVERYDAY, wed=EVERYDAY, thu=EVERYDAY, fri=EVERYDAY), time_zone="UTC"
)
NO_CREW = "No crew is described: one is assumed, Monday to Friday from 8:00 to 16:00 UTC, that can do everything."


@dataclass(frozen=True)
class Candidate:
    """A machine that may be serviced. Without a `curve`, `unknown` says why; `proposed_window` is the last plan's.

    `agreed` and `deferral` are what people have decided of it already; `barred` why it shall have no service.
    """

    machine: str
    site: str | None
    line: str | None
    asset_class: str | None
    costs: Given
    curve: Curve | None
    curve_from: datetime
    unknown: str = ""
    proposed_window: str | None = None
    agreed: Agreed | None = None
    deferral: Deferral | None = None
    barred: str = ""


@dataclass(frozen=True)
class Terms:
    """Of a plan from `now` `until`; `costs` are those of the plant, `rates` those it was run at.

    `repair_hours` are what recorded failures of a class took on average; None: of all.
    """

    now: datetime
    until: datetime
    costs: Given
    rates: Rates
    moving_cost: float
    currency: str
    repair_hours: Mapping[str | None, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """`assumptions`: what stands in the problem for what nobody said."""

    problem: Problem
    assumptions: tuple[str, ...]


def assemble(candidates: Sequence[Candidate], resources: Resources, terms: Terms) -> Asked:
    said = resources.crews or [CREW]
    crews = tuple(_crew(each, terms) for each in said)
    lines = {each.line for each in candidates}
    problem = Problem(
        now=terms.now,
        until=terms.until,
        jobs=tuple(_job(each, needs_of(each.asset_class, resources), terms) for each in candidates),
        windows=(*_configured(resources, terms), *_days(crews, said[0].time_zone, resources, lines)),
        crews=crews,
        lines=tuple(Line(each.line, each.most_down) for each in resources.lines if each.most_down is not None),
        parts=tuple(Part(each.key, each.stock, timedelta(days=each.lead_time_days)) for each in resources.parts),
        setups=tuple(Setup(each.key, each.cost) for each in resources.setups),
        moving_cost=terms.moving_cost,
        currency=terms.currency,
        zone=ZoneInfo(said[0].time_zone),
    )
    return Asked(with_agreed(problem, [each.agreed for each in candidates]), _assumptions(candidates, resources))


def _crew(given: CrewIn, terms: Terms) -> Crew:
    own = shifts(given.hours.model_dump(), given.time_zone, terms.now, terms.until)
    return Crew(given.key, frozenset(given.skills), own, given.site)


def _job(machine: Candidate, needs: ServiceIn, terms: Terms) -> Job:
    return Job(
        machine=machine.machine,
        site=machine.site,
        line=machine.line,
        minutes=max(round(needs.hours * 60), 1),
        costs=costs_of(machine.costs, machine.asset_class, needs, terms.repair_hours, terms.costs, terms.rates),
        curve=machine.curve,
        curve_from=machine.curve_from,
        unknown=machine.unknown,
        skill=needs.skill,
        parts=needs.parts,
        setup=needs.setup,
        proposed_window=machine.proposed_window,
        deferral=machine.deferral,
        barred=machine.barred,
    )


def needs_of(asset_class: str | None, resources: Resources) -> ServiceIn:
    """Of a service of this class, else of all others, else of none that anybody described."""
    by_class = {each.asset_class: each for each in resources.services}
    return by_class.get(asset_class, by_class.get(None, SERVICE))


def costs_of(
    own: Given,
    asset_class: str | None,
    needs: ServiceIn,
    repair_hours: Mapping[str | None, float],
    plant: Given,
    rates: Rates,
) -> MachineCosts:
    """`needs` are those of the class, `repair_hours` what recorded failures took: of the class, else of all."""
    of_class = Given(needs.preventive_cost, needs.failure_cost, needs.downtime_cost_per_hour, needs.repair_hours)
    recorded = Given(repair_hours=repair_hours.get(asset_class, repair_hours.get(None)))
    return machine_costs(own, of_class, recorded, plant, rates)


def _configured(resources: Resources, terms: Terms) -> tuple[Window, ...]:
    """Those ahead within the plan; the rest say nothing of it."""
    ahead = (each for each in resources.windows if each.ends_at > terms.now and each.starts_at < terms.until)
    return tuple(
        Window(each.key, Span(each.starts_at, each.ends_at), frozenset(each.lines) or None, each.loss_share)
        for each in ahead
    )


def _days(crews: Sequence[Crew], zone: str, resources: Resources, lines: set[str | None]) -> tuple[Window, ...]:
    """Every day on which somebody works, for the lines that may stand outside of their windows."""
    allowed = frozenset(each for each in lines if _stands_outside(each, resources))
    if not allowed:
        return ()
    whom = None if allowed == lines else allowed
    return tuple(Window(f"{DAY_KEY}{day}", span, whom) for day, span in working_days(crews, zone))


def _stands_outside(line: str | None, resources: Resources) -> bool:
    said = next((each.outside_windows for each in resources.lines if each.line == line), None)
    return said if said is not None else not any(not each.lines or line in each.lines for each in resources.windows)


def _assumptions(candidates: Sequence[Candidate], resources: Resources) -> tuple[str, ...]:
    described = {each.asset_class for each in resources.services}
    bare = sum(not {each.asset_class, None} & described for each in candidates)
    services = f"What a service needs is not said of {_share(bare, candidates)}: {SERVICE.hours:g} h are assumed."
    unpriced = sum(None in (each.costs.preventive, each.costs.failure) for each in candidates)
    costs = f"What a failure or a service costs is not said of {_share(unpriced, candidates)}: see their reasons."
    said = ((NO_CREW, not resources.crews), (services, bare), (costs, unpriced))
    return tuple(sentence for sentence, holds in said if holds)


def _share(number: int, candidates: Sequence[Candidate]) -> str:
    return f"{number} of {len(candidates)} machines"
