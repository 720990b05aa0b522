"""A plant lives on under a policy, hour by hour: orders are done, failures are repaired, and all of it counts."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bench.finding import Figures
from bench.loop.diary import BEGINS, DAY, ENDS, HOUR, Diary, Order, works
from bench.loop.seen import Seen
from ml.features.history import Floats
from ml.simulate.duty import on_shift
from ml.simulate.fleet import live
from ml.simulate.happenings import Happening
from ml.simulate.state import FleetState, Visit

# Policies decide every morning of a workday, before the crews begin.
DECIDES = 6 * HOUR
FIRST_DAY = 1_704_067_200  # Monday, 2024-01-01
STANDSTILL_STEP = 900


class Policy(Protocol):
    """Decides from what was seen and from the diary, and from nothing else."""

    def orders(self, seen: Seen, diary: Diary) -> list[Order]: ...


@dataclass
class Plant:
    """`state` is the hidden truth, which nobody but the plant itself may ask."""

    state: FleetState
    seen: Seen

    @classmethod
    def new(cls, machines: int, seed: int) -> Plant:
        state = FleetState.new(machines, FIRST_DAY, seed, fates_apart=True)
        return cls(state, Seen(state.roster.table, FIRST_DAY, state.past_services()))

    def live_as_before(self, days: int) -> None:
        """Under the plant's own calendar, part by part, as the simulated fleet ships."""
        for _ in range(days * 24):
            self.seen.see(live(self.state, self.state.time + HOUR), self.state.time)

    def copy(self) -> Plant:
        return deepcopy(self)

    def hour(self, visits: list[Visit]) -> list[Happening]:
        step = self.state.step(self.state.time + HOUR, visits=visits)
        self.seen.see(step, self.state.time)
        return step.happened


@dataclass
class Ledger:
    """[machines] failures, services, hours of production lost to either; services that found the machine down."""

    failures: Floats
    services: Floats
    unplanned_hours: Floats
    planned_hours: Floats
    called_off: int = 0
    stops: list[tuple[int, int, int]] = field(default_factory=list)

    @classmethod
    def empty(cls, machines: int) -> Ledger:
        return cls(*(np.zeros(machines) for _ in range(4)))

    def figures(self, plant: Plant, years: float) -> Figures:
        """A machine and year."""
        costs = plant.seen.machines
        downtime = self.unplanned_hours + self.planned_hours
        repairs = (self.failures * costs["failure_cost"].to_numpy()).sum()
        services = (self.services * costs["preventive_cost"].to_numpy()).sum()
        lost = (downtime * costs["downtime_cost_per_hour"].to_numpy()).sum()
        share = len(costs) * years
        return {
            "downtime h": downtime.sum() / share,
            "unplanned h": self.unplanned_hours.sum() / share,
            "failures": self.failures.sum() / share,
            "services": self.services.sum() / share,
            "cost": (repairs + services + lost) / share,
            "of it lost production": lost / share,
            "called off": self.called_off / share,
        }


def lived(plant: Plant, policy: Policy, crews: int, days: int) -> Ledger:
    """Moves the plant on by so many days; give it a copy."""
    diary, ledger = Diary(crews), Ledger.empty(len(plant.seen.machines))
    for _ in range(days):
        for hour in range(24):
            visits = []
            if hour * HOUR == DECIDES and works(plant.state.time // DAY * DAY):
                for order in policy.orders(plant.seen, diary):
                    diary.accept(order)
            if hour * HOUR == BEGINS:
                visits = _visits(plant, diary, ledger)
            for happening in plant.hour(visits):
                if happening.kind == "failure":
                    _fail(plant, ledger, happening)
    return ledger


def _visits(plant: Plant, diary: Diary, ledger: Ledger) -> list[Visit]:
    """Of today's orders; a machine that stands for a repair is not serviced, and its crew's morning is lost."""
    day = plant.state.time // DAY * DAY
    visits = []
    for machine in diary.take(day):
        if plant.state.duty.down_until[machine] > plant.state.time:
            ledger.called_off += 1
            continue
        visits.append(Visit(machine, day + BEGINS, day + ENDS))
        ledger.services[machine] += 1
        ledger.stops.append((machine, day + BEGINS, day + ENDS))
        ledger.planned_hours[machine] += lost_hours(plant, machine, day + BEGINS, day + ENDS)
    return visits


def _fail(plant: Plant, ledger: Ledger, failure: Happening) -> None:
    end = failure.ended_at or failure.started_at
    ledger.failures[failure.machine] += 1
    ledger.stops.append((failure.machine, failure.started_at, end))
    ledger.unplanned_hours[failure.machine] += lost_hours(plant, failure.machine, failure.started_at, end)


def lost_hours(plant: Plant, machine: int, start: int, end: int) -> float:
    """Of a standstill those in which the machine was meant to run: nights and weekends off lose nothing."""
    at = np.arange(start, end, STANDSTILL_STEP)
    kind = np.full(len(at), plant.state.roster.asset_class[machine])
    return float(on_shift(kind, at).mean() * (end - start) / HOUR)


def repair_hours(plant: Plant) -> dict[str, float]:
    """By asset class what a repair takes, as told."""
    ended = [each for each in plant.seen.events() if each.kind == "failure" and each.ended_at]
    kind = plant.seen.machines["asset_class"].to_numpy()
    hours: dict[str, list[float]] = {}
    for each in ended:
        lost = lost_hours(plant, each.machine, each.started_at, each.ended_at or each.started_at)
        hours.setdefault(str(kind[each.machine]), []).append(lost)
    return {name: round(float(np.mean(own)), 1) for name, own in hours.items()}
