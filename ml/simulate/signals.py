"""What load, surroundings and wear do to the four physical quantities, before any sensor errs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.features.history import Floats
from ml.simulate.duty import Duty, ambient_c
from ml.simulate.roster import Roster
from ml.simulate.wear import MODES, Wear

THERMAL_HOURS = 1.5
# Scatter that lasts for hours, so that a mean over many live readings scatters like one hourly reading.
SCATTER_MEMORY_HOURS = 4.0
SCATTER = np.array([0.02, 0.07, 0.02])
WHITE_NOISE = np.array([0.004, 0.015, 0.006])


@dataclass
class Physics:
    """`rise_k` [machines]: winding above ambient. `scatter` [machines, 3]: of temperature, vibration, current."""

    rise_k: Floats
    scatter: Floats

    @classmethod
    def at_start(cls, rng: np.random.Generator, machines: int) -> Physics:
        return cls(np.zeros(machines), rng.normal(0, 1, (machines, 3)))

    def signals(
        self,
        rng: np.random.Generator,
        roster: Roster,
        duty: Duty,
        wear: Wear,
        load: Floats,
        time: int,
        hours: float,
    ) -> Floats:
        """[machines, 4] as in readings.csv: temperature_c, vibration_mm_s, current_a, runtime_hours."""
        self._scatter(rng, hours)
        noise = 1 + SCATTER * self.scatter + WHITE_NOISE * rng.normal(0, 1, self.scatter.shape)
        severity = wear.severity()
        current = _current(roster, severity, load) * noise[:, 2]
        vibration = _vibration(roster, duty, severity, load) * np.maximum(noise[:, 1], 0.2)
        temperature = self._temperature(roster, severity, load, time, hours) * noise[:, 0]
        return np.column_stack([temperature, vibration, current, duty.running_hours])

    def _scatter(self, rng: np.random.Generator, hours: float) -> None:
        memory = np.exp(-hours / SCATTER_MEMORY_HOURS)
        self.scatter = memory * self.scatter + np.sqrt(1 - memory**2) * rng.normal(0, 1, self.scatter.shape)

    def _temperature(self, roster: Roster, severity: Floats, load: Floats, time: int, hours: float) -> Floats:
        """First order lag towards the rise that losses (about the square of the load) would settle at."""
        gain = severity @ _gains("temperature") + np.clip(severity, 0, 1.5) ** 3 @ _gains("late_temperature")
        settled = np.where(load > 0, roster.temperature_rise_k * (0.25 + 0.75 * load**2) * (1 + gain), 0.0)
        self.rise_k += (settled - self.rise_k) * -np.expm1(-hours / THERMAL_HOURS)
        return np.asarray(ambient_c(time) + roster.site_warmth_k + self.rise_k)


def _gains(signal: str) -> Floats:
    return np.array([getattr(mode, signal) for mode in MODES])


def _current(roster: Roster, severity: Floats, load: Floats) -> Floats:
    running = roster.rated_current_a * (0.32 + 0.66 * load) * (1 + severity @ _gains("current"))
    return np.asarray(np.where(load > 0, running, 0.004 * roster.rated_current_a))


def _vibration(roster: Roster, duty: Duty, severity: Floats, load: Floats) -> Floats:
    wear = 1 + severity @ _gains("vibration") + severity @ _gains("vibration_by_load") * load
    running = roster.vibration_mm_s * (0.75 + 0.35 * load) * duty.process_vibration * wear
    return np.asarray(np.where(load > 0, running, 0.06))
