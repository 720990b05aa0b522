"""The policies that ask the product's models: the riskiest first, and Wearwatch's own plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from app.planning.actions import costs_of_plant, own_costs
from app.planning.assembly import Candidate, Terms, assemble
from app.planning.problem import Pin, Problem
from app.planning.renewed_life import Lived, renewed_rates
from app.planning.resource_rule import DAY_KEY
from app.planning.resource_schemas import CrewIn, Resources, ServiceIn, Week
from app.planning.schedule import Service
from app.planning.store import LOOK_BACK
from app.settings import Settings
from bench.loop.diary import SERVICE_HOURS, Diary, Order
from bench.loop.knowing import Known
from bench.loop.rules import in_turn
from bench.loop.seen import HOUR, Seen
from ml.planning.scheduler import schedule  # before TensorFlow comes with a model: CP-SAT crashes if it comes after

MORNINGS = ["08:00-12:00"]
WORK_WEEK = Week(mon=MORNINGS, tue=MORNINGS, wed=MORNINGS, thu=MORNINGS, fri=MORNINGS)
# A service that begins so soon is accepted and stays; the rest of a plan is planned anew tomorrow.
ACCEPTED = timedelta(days=2)
# Plants of this size are solved in tenths of it.
PLAN_SECONDS = 5.0
SETTINGS = Settings()

Ask = Callable[[Seen], Known]


@dataclass(frozen=True)
class RiskiestFirst:
    """From a risk of `threshold` within `hours` on."""

    ask: Ask
    threshold: float
    hours: float = 168.0

    def orders(self, seen: Seen, diary: Diary) -> list[Order]:
        curves = self.ask(seen).curves
        risk = {number: curve.probability(self.hours) for number, curve in enumerate(curves) if curve}
        riskiest = sorted(risk, key=lambda number: -risk[number])
        return in_turn([each for each in riskiest if risk[each] >= self.threshold], seen, diary)


@dataclass
class Wearwatch:
    """`repair_hours`: by asset class what a failure's repair takes, as the plant knows it. `proposed`: the last
    plan's windows."""

    ask: Ask
    repair_hours: dict[str, float]
    proposed: dict[str, str] = field(default_factory=dict)

    def orders(self, seen: Seen, diary: Diary) -> list[Order]:
        now = datetime.fromtimestamp(seen.now, UTC)
        problem = self._problem(seen, diary, now)
        planned = schedule(problem, PLAN_SECONDS)
        self.proposed = {each.machine: each.window for each in planned.services}
        place = {key: number for number, key in enumerate(seen.machines["key"])}
        return [
            Order(place[each.machine], _day(each), _crew(each))
            for each in planned.services
            if not each.pinned and each.starts_at < now + ACCEPTED
        ]

    def _problem(self, seen: Seen, diary: Diary, now: datetime) -> Problem:
        known = self.ask(seen)
        rates = renewed_rates(lived(seen), [each for each in known.curves if each])
        plant = costs_of_plant(SETTINGS)
        terms = Terms(now, now + SETTINGS.plan_ahead, plant, rates, SETTINGS.moving_cost, SETTINGS.currency)
        asked = assemble(self._candidates(seen, known, now), self._resources(diary.crews), terms)
        keys = seen.machines["key"]
        pins = (Pin(keys[each.machine], _window(each.day), str(each.crew)) for each in diary.orders())
        return replace(asked.problem, pins=tuple(pins))

    def _candidates(self, seen: Seen, known: Known, now: datetime) -> Sequence[Candidate]:
        return [
            Candidate(
                machine=machine.key,
                site=machine.site,
                line=machine.line,
                asset_class=machine.asset_class,
                costs=own_costs(machine),
                curve=curve,
                curve_from=now,
                unknown=unknown,
                proposed_window=self.proposed.get(machine.key),
            )
            for machine, curve, unknown in zip(seen.machines.itertuples(), known.curves, known.unknown, strict=True)
        ]

    def _resources(self, crews: int) -> Resources:
        return Resources(
            crews=[CrewIn(key=str(number), hours=WORK_WEEK) for number in range(crews)],
            services=[
                ServiceIn(asset_class=kind, hours=SERVICE_HOURS, repair_hours=hours)
                for kind, hours in self.repair_hours.items()
            ],
        )


def lived(seen: Seen) -> Lived:
    """As app.planning.store counts: failures, and visits that are neither repairs nor looking."""
    events = [each for each in seen.events() if each.started_at >= seen.now - LOOK_BACK.total_seconds()]
    failures = [each for each in events if each.kind == "failure"]
    down: dict[int, list[tuple[int, int]]] = {}
    for each in failures:
        down.setdefault(each.machine, []).append((each.started_at, each.ended_at or each.started_at))
    services = {
        (each.machine, each.started_at)
        for each in events
        if each.kind == "service" and each.code != "inspection"
        if not any(start <= each.started_at <= end for start, end in down.get(each.machine, ()))
    }
    since = min((each.started_at for each in events if each.kind in ("failure", "service")), default=seen.now)
    return Lived(len(failures), len(services), len(seen.machines) * (seen.now - since) / HOUR)


def _window(day: int) -> str:
    return f"{DAY_KEY}{datetime.fromtimestamp(day, UTC):%Y-%m-%d}"


def _day(service: Service) -> int:
    return int(service.starts_at.replace(hour=0, minute=0, second=0).timestamp())


def _crew(service: Service) -> int:
    return int(service.crew)
