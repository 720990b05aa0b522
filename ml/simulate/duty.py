"""What the simulated machines are asked to do, where: shifts, load, process changes, seasons, standstills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features.history import Floats, Ints
from ml.simulate.roster import CLASSES, Roster

DAY = 86400
YEAR = 365.25 * DAY
# 1970-01-01 was a Thursday; weeks here start on Monday 06:00, when the early shift does.
WEEK_START = 4 * DAY + 6 * 3600
LOAD_MEMORY_HOURS = 8.0
PROCESS_CHANGES_PER_HOUR = 1 / (24 * 30)


@dataclass
class Duty:
    """[machines]: load scatter, the running process change, standstill [down_from, down_until), hour counter."""

    load_scatter: Floats
    process_load: Floats
    process_vibration: Floats
    process_until: Ints
    down_from: Ints
    down_until: Ints
    running_hours: Floats

    @classmethod
    def at_start(cls, rng: np.random.Generator, roster: Roster, start: int) -> Duty:
        machines = len(roster)
        share = np.array([CLASSES[k].running_share for k in roster.asset_class])
        age_hours = (start - roster.table["installed_at"].astype("int64").to_numpy() // _units(roster)) / 3600
        none = np.zeros(machines, dtype=np.int64)
        return cls(
            rng.normal(0, 1, machines),
            np.ones(machines),
            np.ones(machines),
            none.copy(),
            none.copy(),
            none.copy(),
            np.round(age_hours * share, 1),
        )

    def load(self, rng: np.random.Generator, roster: Roster, time: int, span: int) -> Floats:
        """Share of rated load in the step of `span` seconds from `time`; 0 while standing half of it."""
        hours = span / 3600
        memory = np.exp(-hours / LOAD_MEMORY_HOURS)
        self.load_scatter = memory * self.load_scatter + np.sqrt(1 - memory**2) * rng.normal(0, 1, len(roster))
        self._change_process(rng, time, hours)
        load = roster.usual_load * self.process_load * (1 + 0.12 * self.load_scatter)
        running = on_shift(roster.asset_class, time) & ~self.is_down(np.full(len(roster), time + span // 2))
        load = np.where(running, np.clip(load, 0.25, 1.15), 0.0)
        self.running_hours += np.where(running, hours, 0.0)
        return load

    def is_down(self, at: Ints) -> npt.NDArray[np.bool_]:
        return (self.down_from <= at) & (at < self.down_until)

    def stop(self, machine: int, start: int, end: int) -> None:
        self.down_from[machine], self.down_until[machine] = start, end

    def _change_process(self, rng: np.random.Generator, time: int, hours: float) -> None:
        """Another product or speed for some days: vibration and load move though nothing wears."""
        machines = len(self.process_until)
        starts = (rng.random(machines) < -np.expm1(-PROCESS_CHANGES_PER_HOUR * hours)) & (self.process_until < time)
        vibration, load = np.exp(rng.normal(0.1, 0.25, machines)), rng.uniform(0.85, 1.15, machines)
        until = time + rng.integers(1 * DAY, 12 * DAY, machines)
        over = ~starts & (self.process_until < time)
        self.process_vibration = np.where(starts, vibration, np.where(over, 1.0, self.process_vibration))
        self.process_load = np.where(starts, load, np.where(over, 1.0, self.process_load))
        self.process_until = np.where(starts, until, self.process_until)


def _units(roster: Roster) -> int:
    """Ticks a second of the table's times; pandas chooses the unit."""
    unit: str = roster.table["installed_at"].dt.unit
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]


def on_shift(asset_class: Ints, time: int | Ints) -> npt.NDArray[np.bool_]:
    """Whether machines of these classes are meant to run, at one time or each at its own."""
    day, second = np.divmod((np.asarray(time) - WEEK_START) % (7 * DAY), DAY)
    days = np.array([each.days_per_week for each in CLASSES])[asset_class]
    shifts = np.array([each.shifts_per_day for each in CLASSES])[asset_class]
    return np.asarray((day < days) & (second < shifts * 8 * 3600))


def ambient_c(time: int) -> float:
    """Hall temperature: warmest in late July and in the afternoon."""
    season = np.cos(2 * np.pi * (time / YEAR - 0.56))
    hour = np.cos(2 * np.pi * (time % DAY / DAY - 0.62))
    return float(21 + 4 * season + 2.5 * hour)
