"""A simulated fleet that lives step by step; a policy may order services, and wear reacts to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from app.errors import BadInput
from ml.features.history import Floats, Ints
from ml.simulate.calendar import INSPECTIONS_PER_HOUR
from ml.simulate.chance import Chance
from ml.simulate.duty import Duty
from ml.simulate.happenings import Happening, failure, fault_codes, inspection, overhaul, preventive
from ml.simulate.roster import CLASSES, Roster, make_roster
from ml.simulate.sensors import Sensors
from ml.simulate.signals import Physics
from ml.simulate.wear import COMPONENTS, MODES, SHOCK_COMPONENT, SHOCK_MODE, SHOCKS_PER_RUNNING_HOUR, Wear

VERSION = 2
# Knew one stream of chance only.
ONE_STREAM = 1
PARTS: dict[str, type] = {"wear": Wear, "duty": Duty, "sensors": Sensors, "physics": Physics}


@dataclass(frozen=True)
class Step:
    """What one step showed: a reading a machine (NaN: nothing sent), when it was taken, and what happened."""

    measured_at: Ints
    readings: Floats
    happened: list[Happening]


@dataclass(frozen=True)
class Visit:
    """A machine stands from `start` (epoch seconds) until `end`, and all its parts are renewed at once."""

    machine: int
    start: int
    end: int


@dataclass
class FleetState:
    """All that decides how the fleet goes on. Only `step` moves it."""

    seed: int
    start: int
    time: int
    roster: Roster
    chance: Chance
    wear: Wear
    duty: Duty
    sensors: Sensors
    physics: Physics

    @classmethod
    def new(cls, machines: int, start: int, seed: int, *, fates_apart: bool = False) -> FleetState:
        """A fleet in mid-life at `start` (epoch seconds). `fates_apart`: see Chance; other lives than without."""
        roster = make_roster(machines, start, seed)
        chance = Chance.apart(seed, machines) if fates_apart else Chance.together(seed)
        rng = chance.world
        wear = Wear.spread_over_lives(rng, _calendar_speed(roster), roster.service_interval_days, start)
        duty = Duty.at_start(rng, roster, start)
        parts = wear, duty, Sensors.healthy(machines), Physics.at_start(rng, machines)
        return cls(seed, start, start, roster, chance, *parts)

    def step(self, until: int, services: Iterable[tuple[int, int]] = (), visits: Iterable[Visit] = ()) -> Step:
        """Live until `until` (epoch seconds); `services` are (machine, component) pairs renewed at once.

        `visits` begin in the first half of the step, on machines that run.
        """
        span = until - self.time
        hours = span / 3600
        happened = [*self._serve(services, span), *self._overhaul(visits)]
        rng = self.chance.world
        load = self.duty.load(rng, self.roster, self.time, span)
        happened += self._inspect(span)
        happened += self._wear_out(load, span)
        at = self.time + (self.roster.send_offset * span).astype(np.int64)
        load = np.where(self.duty.is_down(at), 0.0, load)
        signals = self.physics.signals(rng, self.roster, self.duty, self.wear, load, self.time, hours)
        happened += fault_codes(rng, self.roster, signals, self.wear, load, at, hours)
        readings = self.sensors.read(rng, signals, at, hours)
        readings[self.duty.is_down(at) & (self.roster.sends_while_down == 0)] = np.nan
        self.time = until
        return Step(at, readings, happened)

    def past_services(self) -> list[Happening]:
        """The renewals before the fleet's first step, as a maintenance system would know them."""
        machines, components = np.nonzero(self.wear.renewed_at < self.start)
        return [
            preventive(self.chance.of(int(m)), int(m), COMPONENTS[c], int(self.wear.renewed_at[m, c]))
            for m, c in zip(machines, components, strict=True)
        ]

    def _serve(self, services: Iterable[tuple[int, int]], span: int) -> list[Happening]:
        done = []
        for machine, component in services:
            rng = self.chance.of(machine)
            at = self.time + int(rng.integers(0, span // 2 + 1))
            self.wear.renew(rng, machine, component, at)
            done.append(preventive(rng, machine, COMPONENTS[component], at))
            end = max(done[-1].ended_at or at, int(self.duty.down_until[machine]))
            self.duty.stop(machine, at, end)
        return done

    def _overhaul(self, visits: Iterable[Visit]) -> list[Happening]:
        done: list[Happening] = []
        for visit in visits:
            for component in range(len(COMPONENTS)):
                self.wear.renew(self.chance.of(visit.machine), visit.machine, component, visit.start)
            self.duty.stop(visit.machine, visit.start, visit.end)
            done += overhaul(visit.machine, visit.start, visit.end)
        return done

    def _inspect(self, span: int) -> list[Happening]:
        rng = self.chance.world
        seen = rng.random(len(self.roster)) < -np.expm1(-INSPECTIONS_PER_HOUR * span / 3600)
        at = self.time + int(rng.integers(0, span + 1))
        return [inspection(rng, int(machine), at) for machine in np.flatnonzero(seen)]

    def _wear_out(self, load: Floats, span: int) -> list[Happening]:
        """At most one failure a machine and step: the part furthest beyond its end, or else a shock."""
        running = load > 0
        stress = np.where(running, (load / 0.72) ** 1.5, 0.0)
        self.wear.grow(self.chance, self.roster.wear_speed, stress, span / 3600)
        beyond = self.wear.worn_out()
        shock = self.chance.world.random(len(load)) < -np.expm1(-SHOCKS_PER_RUNNING_HOUR * span / 3600)
        shocked = running & shock
        return [
            happening
            for machine in np.flatnonzero(running & ((beyond.max(axis=1) >= 0) | shocked))
            for happening in self._fail(int(machine), beyond[machine], span)
        ]

    def _fail(self, machine: int, beyond: Floats, span: int) -> list[Happening]:
        rng = self.chance.of(machine)
        at = max(self.time + int(rng.integers(0, span + 1)), int(self.duty.down_until[machine]))
        worst = int(beyond.argmax())
        if beyond[worst] >= 0:
            happened = failure(rng, machine, MODES[worst].code, COMPONENTS[worst], at)
            self.wear.renew(rng, machine, worst, at)
        else:
            happened = failure(rng, machine, SHOCK_MODE, SHOCK_COMPONENT, at)
        self.duty.stop(machine, at, happened[0].ended_at or at)
        return happened

    def to_json(self) -> str:
        """Everything but the roster, which the seed makes again."""
        state: dict[str, Any] = {"version": VERSION, "machines": len(self.roster), "seed": self.seed}
        state |= {"start": self.start, "time": self.time, "chance": self.chance.to_json()}
        for name, kind in PARTS.items():
            part = getattr(self, name)
            state[name] = {field.name: getattr(part, field.name).tolist() for field in fields(kind)}
        return json.dumps(state)

    @classmethod
    def from_json(cls, text: str) -> FleetState:
        """Goes on exactly where `to_json` left. Raises BadInput when the text is not such a state."""
        try:
            state = json.loads(text)
            if state["version"] == ONE_STREAM:
                state |= {"version": VERSION, "chance": [state["rng"]]}
            if state["version"] != VERSION:
                raise BadInput("The simulated fleet was saved by another version of Wearwatch.")
            fresh = cls.new(state["machines"], state["start"], state["seed"])
            fresh.time, fresh.chance = state["time"], Chance.from_json(state["chance"])
            for name in PARTS:
                _restore(getattr(fresh, name), state[name])
        except (ValueError, LookupError, TypeError) as error:
            raise BadInput("The saved state of the simulated fleet cannot be read.") from error
        return fresh


def _calendar_speed(roster: Roster) -> Floats:
    """Wear per calendar day: idle nights and weekends do not wear."""
    share = np.array([CLASSES[k].running_share for k in roster.asset_class])
    return np.asarray(roster.wear_speed * share[:, None])


def _restore(part: object, saved: dict[str, Any]) -> None:
    for name, value in saved.items():
        like = getattr(part, name)
        array = np.array(value, dtype=like.dtype)
        if array.shape != like.shape:
            raise ValueError(name)
        setattr(part, name, array)
