"""Who is in the simulated fleet: names, ratings, costs, and the traits each machine was born with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.features.history import Floats, Ints
from ml.simulate.wear import MODES


@dataclass(frozen=True)
class AssetClass:
    """`shifts_per_day` of 8 h on `days_per_week`, starting at 06:00 on Monday; 3 x 7 runs round the clock."""

    name: str
    lines: tuple[str, ...]
    power_kw: tuple[float, ...]
    shifts_per_day: int
    days_per_week: int
    vibration_mm_s: float
    temperature_rise_k: float
    downtime_cost_per_hour: float

    @property
    def running_share(self) -> float:
        return self.shifts_per_day * 8 * self.days_per_week / 168


CLASSES = (
    AssetClass("press", ("stamping-1", "stamping-2"), (22, 37, 55, 90), 2, 5, 1.6, 48, 900),
    AssetClass("conveyor", ("assembly-1", "assembly-2"), (5.5, 7.5, 11, 22), 2, 6, 1.0, 38, 500),
    AssetClass("pump", ("cooling", "hydraulics"), (11, 18.5, 30, 75), 3, 7, 1.2, 44, 350),
    AssetClass("fan", ("paint-shop", "extraction"), (7.5, 15, 30, 55), 3, 7, 1.4, 40, 200),
)
SITES = ("north", "south")
# A 400 V three-phase motor at cos phi 0.85 and 92 % efficiency: I = P / (sqrt(3) U cos phi eta).
AMPERE_PER_KW = 1000 / (3**0.5 * 400 * 0.85 * 0.92)
SERVICE_INTERVAL_DAYS = 200.0


@dataclass(frozen=True)
class Roster:
    """One row or element a machine. `table` has the columns of machines.csv, the rest is hidden."""

    table: pd.DataFrame
    asset_class: Ints
    rated_current_a: Floats
    vibration_mm_s: Floats
    temperature_rise_k: Floats
    site_warmth_k: Floats
    usual_load: Floats
    wear_speed: Floats
    service_interval_days: Floats
    send_offset: Floats
    sends_while_down: Ints

    def __len__(self) -> int:
        return len(self.table)


def make_roster(machines: int, start: int, seed: int) -> Roster:
    """The same machines for the same seed, whatever happens to them later."""
    rng = np.random.default_rng([seed, 1])
    kind = np.arange(machines) % len(CLASSES)
    power = np.array([rng.choice(CLASSES[k].power_kw) for k in kind])
    running_share = np.array([CLASSES[k].running_share for k in kind])
    components = (machines, len(MODES))
    return Roster(
        table=_table(rng, kind, power, start),
        asset_class=kind,
        rated_current_a=np.round(power * AMPERE_PER_KW, 1),
        vibration_mm_s=np.array([CLASSES[k].vibration_mm_s for k in kind]) * np.exp(rng.normal(0, 0.25, machines)),
        temperature_rise_k=np.array([CLASSES[k].temperature_rise_k for k in kind])
        * rng.uniform(0.85, 1.15, machines),
        site_warmth_k=rng.normal(0, 2, machines),
        usual_load=rng.uniform(0.6, 0.85, machines),
        wear_speed=np.exp(rng.normal(0, 0.35, components)) / running_share[:, None],
        service_interval_days=SERVICE_INTERVAL_DAYS * rng.uniform(0.75, 1.25, components),
        send_offset=rng.uniform(0, 0.999, machines),
        sends_while_down=rng.integers(0, 2, machines),
    )


def _table(rng: np.random.Generator, kind: Ints, power: Floats, start: int) -> pd.DataFrame:
    number = np.arange(len(kind)) // len(CLASSES) + 1
    classes = [CLASSES[k] for k in kind]
    cost_per_hour = np.array([c.downtime_cost_per_hour for c in classes]) * rng.uniform(0.6, 1.6, len(kind))
    size = 200 + 12 * power
    return pd.DataFrame(
        {
            "key": [f"{c.name}-{n:02d}" for c, n in zip(classes, number, strict=True)],
            "name": [f"{c.name.capitalize()} {n}" for c, n in zip(classes, number, strict=True)],
            "site": [SITES[n % len(SITES)] for n in number],
            "line": [c.lines[n // 2 % len(c.lines)] for c, n in zip(classes, number, strict=True)],
            "asset_class": [c.name for c in classes],
            "rated_power_kw": power,
            "rated_current_a": np.round(power * AMPERE_PER_KW, 1),
            "support": rng.choice(["rigid", "flexible"], len(kind), p=[0.75, 0.25]),
            "installed_at": pd.to_datetime(start - rng.integers(300, 4000, len(kind)) * 86400, unit="s", utc=True),
            "decommissioned_at": pd.NaT,
            "criticality": rng.integers(1, 6, len(kind)),
            "downtime_cost_per_hour": np.round(cost_per_hour, -1),
            "preventive_cost": np.round(size + 2.5 * cost_per_hour, -1),
            "failure_cost": np.round(4 * size + 12 * cost_per_hour, -1),
        }
    )
