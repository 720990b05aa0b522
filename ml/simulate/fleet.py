"""A simulated plant's history with known truth: three tables like a real plant's, and what really was the case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.history import Floats, Ints
from ml.simulate.calendar import due_services
from ml.simulate.happenings import Happening, as_table
from ml.simulate.roster import Roster
from ml.simulate.sensors import CHANNELS
from ml.simulate.state import FleetState, Step

HOUR = 3600
DAY = 24 * HOUR
# Shown to whoever opens the demo: one machine that fell silent, one temperature sensor that sticks.
SILENT_SINCE, STUCK_SINCE, SHOWN_UNTIL = 30 * HOUR, 60 * HOUR, 10 * DAY


@dataclass(frozen=True)
class SimulatedFleet:
    """The three tables, and what goes on: the state, and what has yet to begin or end (`pending`).

    `damage` [steps, machines, components] and `steps` (epoch seconds) are the hidden truth, for tests only.
    """

    machines: pd.DataFrame
    readings: pd.DataFrame
    events: pd.DataFrame
    state: FleetState
    pending: list[Happening]
    steps: Ints
    damage: npt.NDArray[np.float32]


def simulate_fleet(
    machines: int = 60,
    days: int = 120,
    until: datetime | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> SimulatedFleet:
    """`days` of hourly readings up to `until` (default: now), with everything that happened to the machines."""
    end = int((until or datetime.now(UTC)).timestamp())
    start = end // HOUR * HOUR - days * DAY
    state = FleetState.new(machines, start, seed)
    happened = state.past_services()
    stops = np.unique(np.append(np.arange(start + HOUR, end, HOUR), end))
    shown: list[Step] = []
    damage = np.empty((len(stops), machines, state.wear.damage.shape[1]), dtype=np.float32)
    for number, stop in enumerate(stops):
        _arrange_the_demo(state, end)
        shown.append(live(state, int(stop)))
        happened += shown[-1].happened
        damage[number] = state.wear.damage
        progress((number + 1) / len(stops))
    events = as_table(recorded(happened, end), list(state.roster.table["key"]))
    pending = [happening for happening in happened if max(happening.started_at, happening.ended_at or 0) >= end]
    return SimulatedFleet(
        state.roster.table, as_readings(shown, state.roster), events, state, pending, stops, damage
    )


def recorded(happened: list[Happening], now: int) -> list[Happening]:
    """What a maintenance system knows by `now`: begun, and the end only if it has come."""
    return [
        replace(happening, ended_at=None) if (happening.ended_at or 0) >= now else happening
        for happening in happened
        if happening.started_at < now
    ]


def live(state: FleetState, until: int) -> Step:
    """One step under the plant's own calendar of services."""
    services = due_services(state.roster, state.wear, state.duty.down_until, state.time)
    return state.step(until, services)


def _arrange_the_demo(state: FleetState, end: int) -> None:
    silent, stuck = 1 % len(state.roster), 2 % len(state.roster)
    if end - SILENT_SINCE - HOUR <= state.time < end - SILENT_SINCE:
        state.sensors.mute_until[silent] = end + SHOWN_UNTIL
    if end - STUCK_SINCE - HOUR <= state.time < end - STUCK_SINCE:
        state.sensors.stuck_until[stuck, 0] = end + SHOWN_UNTIL


def as_readings(steps: list[Step], roster: Roster) -> pd.DataFrame:
    """The columns of readings.csv in time order; machines that sent nothing have no row."""
    values: Floats = np.concatenate([step.readings for step in steps])
    at = np.concatenate([step.measured_at for step in steps])
    keys = np.tile(roster.table["key"].to_numpy(), len(steps))
    sent = ~np.isnan(values).all(axis=1)
    table = pd.DataFrame(values[sent], columns=list(CHANNELS))
    table.insert(0, "machine", keys[sent])
    table.insert(1, "measured_at", pd.to_datetime(at[sent], unit="s", utc=True))
    return table.sort_values("measured_at", kind="stable", ignore_index=True)


def write_csvs(fleet: SimulatedFleet, folder: Path) -> None:
    """machines.csv, readings.csv and events.csv, as `wearwatch import` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("machines", "readings", "events"):
        table: pd.DataFrame = getattr(fleet, name)
        table.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
