"""Live sensors: the simulated machines go on in real time from the end of their history, over HTTP."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.errors import BadInput
from ml.simulate.delivery import Gateway, Row
from ml.simulate.fleet import SimulatedFleet, live
from ml.simulate.happenings import Happening
from ml.simulate.sensors import CHANNELS
from ml.simulate.state import FleetState, Step

HOUR = 3600
LONGEST_BACK_FILL = 30 * 24 * HOUR
STEPS_AT_ONCE = 24
# Beyond so many unsent rows the machines stand still, so that nothing is lost; later they catch up hour by hour.
MOST_UNSENT = 5000
SAY_EVERY_SECONDS = 300.0


@dataclass
class LiveFleet:
    """The machines and what they have not delivered yet, kept together in one file."""

    state: FleetState
    readings: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)

    @classmethod
    def after(cls, history: SimulatedFleet) -> LiveFleet:
        keys = history.state.roster.table["key"]
        return cls(
            history.state, [], [_as_row(happening, keys[happening.machine]) for happening in history.pending]
        )

    @classmethod
    def load(cls, path: Path) -> LiveFleet:
        try:
            saved = json.loads(path.read_text())
            return cls(FleetState.from_json(saved["state"]), saved["readings"], saved["events"])
        except FileNotFoundError as error:
            raise BadInput(
                f"There is no simulated fleet at {path}; `wearwatch simulate fleet` makes one."
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"The simulated fleet at {path} cannot be read.") from error

    def save(self, path: Path) -> None:
        """Whole or not at all; a process killed after it sends the same rows again."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        content = {"state": self.state.to_json(), "readings": self.readings, "events": self.events}
        fresh.write_text(json.dumps(content))
        os.replace(fresh, path)

    def live_until(self, now: int) -> bool:
        """Live on towards `now`, hour by hour after a pause. False when there is more to catch up."""
        self.state.time = max(self.state.time, now - LONGEST_BACK_FILL)
        for _ in range(STEPS_AT_ONCE):
            behind = now - self.state.time
            if behind <= 0 or len(self.readings) >= MOST_UNSENT:
                return True
            self._take(live(self.state, self.state.time + min(behind, HOUR)))
        return self.state.time >= now

    def _take(self, step: Step) -> None:
        keys = self.state.roster.table["key"]
        for key, at, values in zip(keys, step.measured_at.tolist(), step.readings.tolist(), strict=True):
            sent = {name: value for name, value in zip(CHANNELS, values, strict=True) if not math.isnan(value)}
            if sent:
                self.readings.append({"machine": key, "measured_at": iso(at), **sent})
        self.report(step.happened)

    def report(self, happened: Iterable[Happening]) -> None:
        keys = self.state.roster.table["key"]
        self.events += [_as_row(happening, keys[happening.machine]) for happening in happened]


def _as_row(happening: Happening, key: str) -> Row:
    return {
        "machine": key,
        "kind": happening.kind,
        "code": happening.code,
        "component": happening.component,
        "started_at": iso(happening.started_at),
        "ended_at": None if happening.ended_at is None else iso(happening.ended_at),
        "note": happening.note,
    }


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_sensors(
    base_url: str,
    sensor_key: str,
    state_path: Path,
    every_seconds: float = 5.0,
    operator_key: str | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = print,
    clock: Callable[[], float] = time.time,
) -> None:
    """Post until `stop` is set. Without an operator's key failures and services stay unreported."""
    stop = stop or threading.Event()
    gateway, fleet = Gateway(base_url, sensor_key, operator_key), LiveFleet.load(state_path)
    said_at = -math.inf
    while not stop.is_set():
        caught_up = fleet.live_until(int(clock()))
        fleet.save(state_path)
        wait = _deliver(gateway, fleet, int(clock()))
        fleet.save(state_path)
        if clock() - said_at >= SAY_EVERY_SECONDS:
            said_at = clock()
            say(_summary(gateway, fleet, wait))
        stop.wait(max(wait, every_seconds if caught_up else 0.0))


def _deliver(gateway: Gateway, fleet: LiveFleet, now: int) -> float:
    return gateway.send_readings(fleet.readings) or gateway.send_events(fleet.events, iso(now))


def _summary(gateway: Gateway, fleet: LiveFleet, wait: float) -> str:
    keys = len(fleet.state.roster)
    line = f"Sensors of {keys} machines: {gateway.sent} posts so far, {len(fleet.readings)} readings waiting"
    if wait:
        line += f", {gateway.base_url} does not take them now"
    if gateway.last_refusal:
        line += f"; {gateway.last_refusal}"
        gateway.last_refusal = ""
    return f"{line}."
