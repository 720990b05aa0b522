"""What happens to the simulated machines and lands in events.csv: failures, repairs, services, fault codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ml.features.history import Floats, Ints
from ml.simulate.roster import Roster
from ml.simulate.sensors import CHANNELS
from ml.simulate.wear import COMPONENTS, MODES, Wear

TEMPERATURE, VIBRATION, CURRENT = (CHANNELS.index(c) for c in ("temperature_c", "vibration_mm_s", "current_a"))
# Codes a drive or a plant network raises by chance, so that a code alone proves nothing.
CHANCE_CODES = {"UNDERVOLT": 1 / (24 * 40), "COMM-LOSS": 1 / (24 * 25), "OVERLOAD": 1 / (24 * 90)}
TRIP_SHARE = 0.7


@dataclass(frozen=True)
class Happening:
    """An event as in events.csv; `machine` is a position, times are epoch seconds."""

    machine: int
    kind: str
    code: str
    component: str | None
    started_at: int
    ended_at: int | None = None
    note: str | None = None


def failure(rng: np.random.Generator, machine: int, code: str, component: str, at: int) -> list[Happening]:
    """The failure, its repair some time into the standstill, and often the drive's trip seconds after it."""
    back = at + 3600 + int(3600 * 9 * np.exp(rng.normal(0, 0.6)))
    repair = at + int(rng.integers(900, 3500))
    happened = [
        Happening(machine, "failure", code, component, at, back, f"{component} failed"),
        Happening(machine, "service", "corrective", component, repair, back, f"{component} replaced"),
    ]
    if rng.random() < TRIP_SHARE:
        happened.append(Happening(machine, "fault_code", "TRIP", None, at + int(rng.integers(1, 20))))
    return happened


def preventive(rng: np.random.Generator, machine: int, component: str, at: int) -> Happening:
    end = at + int(rng.integers(2 * 3600, 5 * 3600))
    return Happening(machine, "service", "preventive", component, at, end, f"{component} renewed")


def overhaul(machine: int, start: int, end: int) -> list[Happening]:
    """One visit: the service of the machine as a whole, and the parts renewed in it."""
    whole = Happening(machine, "service", "preventive", None, start, end, "all parts renewed")
    return [whole, *(replace(whole, component=component, note=f"{component} renewed") for component in COMPONENTS)]


def inspection(rng: np.random.Generator, machine: int, at: int) -> Happening:
    return Happening(machine, "service", "inspection", None, at, at + int(rng.integers(600, 3600)), "walk-round")


def fault_codes(
    rng: np.random.Generator, roster: Roster, signals: Floats, wear: Wear, load: Floats, at: Ints, hours: float
) -> list[Happening]:
    """Codes by chance, and others whose rate rises with what the drive sees: heat, current, vibration, oil."""
    rates = _rates(roster, signals, wear)
    names = list(rates)
    per_hour = np.column_stack(list(rates.values())) * (load > 0)[:, None]
    machines, codes = np.nonzero(rng.random(per_hour.shape) < -np.expm1(-per_hour * hours))
    return [
        Happening(int(m), "fault_code", names[c], None, int(at[m])) for m, c in zip(machines, codes, strict=True)
    ]


def _rates(roster: Roster, signals: Floats, wear: Wear) -> dict[str, Floats]:
    temperature, vibration = signals[:, TEMPERATURE], signals[:, VIBRATION]
    overload = signals[:, CURRENT] / roster.rated_current_a - 1.0
    machines = len(roster)
    rates = {code: np.full(machines, rate) for code, rate in CHANCE_CODES.items()}
    rates["OVERTEMP"] = 0.05 * np.clip((temperature - 72) / 20, 0, 1)
    rates["OVERLOAD"] = rates["OVERLOAD"] + 0.05 * np.clip(overload / 0.15, 0, 1)
    rates["VIB-HIGH"] = 0.05 * np.clip((vibration - 4.5) / 3, 0, 1)
    for mode, severity in zip(MODES, wear.severity().T, strict=True):
        if mode.fault_code:
            rates[mode.fault_code] = 0.001 + 0.02 * np.clip(severity, 0, 1)
    return rates


def as_table(happened: Sequence[Happening], keys: Sequence[str]) -> pd.DataFrame:
    """The columns of events.csv, in time order."""
    rows = sorted(happened, key=lambda h: (h.started_at, h.machine, h.kind, h.code))
    table = pd.DataFrame(
        [(keys[h.machine], h.kind, h.code, h.component, h.started_at, h.ended_at, h.note) for h in rows],
        columns=["machine", "kind", "code", "component", "started_at", "ended_at", "note"],
    )
    for column in ("started_at", "ended_at"):
        table[column] = pd.to_datetime(table[column].astype("Int64"), unit="s", utc=True)
    return table
