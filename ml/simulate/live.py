"""Live sensors: the simulated machines go on in real time from the end of their history, through the client."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.errors import BadInput
from ml.simulate.delivery import Reporter, Row
from ml.simulate.fleet import SimulatedFleet, live
from ml.simulate.happenings import Happening
from ml.simulate.sensors import CHANNELS
from ml.simulate.state import FleetState, Step
from wearwatch_client import Client, ClientError, QueueFailed, QueueFull, Stats

HOUR = 3600
LONGEST_BACK_FILL = 30 * 24 * HOUR
STEPS_AT_ONCE = 24
# 60 machines fill it in a day without the service. Then their rows stay here, and beyond so many the machines stand
# still, so that nothing is lost; later they catch up hour by hour.
QUEUE_BYTES = 256 << 20
MOST_UNSENT = 5000
# A round's rows are handed over together, so there is nothing to wait for.
BATCH_SECONDS = 0.05
SAY_EVERY_SECONDS = 300.0


@dataclass
class LiveFleet:
    """The machines, the readings that are not yet in the client's queue and the events that are not yet told."""

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
        """Whole or not at all; a process killed after it queues the same rows again."""
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

    def hand_over(self, client: Client) -> None:
        """Into the client's queue, as long as that has room."""
        with suppress(QueueFull, QueueFailed):
            client.add_rows(self.readings)
            self.readings = []

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
    """Send until `stop` is set. Without an operator's key failures and services stay unreported."""
    stop = stop or threading.Event()
    fleet = LiveFleet.load(state_path)
    said_at = -math.inf
    with _opened(base_url, sensor_key, state_path, operator_key) as (client, reporter):
        while not stop.is_set() and not client.stats.key_refused:
            caught_up = fleet.live_until(int(clock()))
            fleet.save(state_path)
            fleet.hand_over(client)
            wait = reporter.report(fleet.events, iso(int(clock())))
            fleet.save(state_path)
            if clock() - said_at >= SAY_EVERY_SECONDS:
                said_at = clock()
                say(_summary(client.stats, reporter, fleet))
            stop.wait(max(wait, every_seconds if caught_up else 0.0))
    say(_summary(client.stats, reporter, fleet))
    if client.stats.key_refused:
        raise BadInput(f"The service at {base_url} refuses the sensors' key.")


@contextmanager
def _opened(
    base_url: str, sensor_key: str, state_path: Path, operator_key: str | None
) -> Iterator[tuple[Client, Reporter]]:
    """The way out for readings, whose queue lies beside the fleet's state, and the one for events."""
    queue = state_path.with_name(f"{state_path.stem}-queue")
    try:
        reporter = Reporter(base_url, operator_key)
        with Client(base_url, queue, key=sensor_key, max_bytes=QUEUE_BYTES, batch_seconds=BATCH_SECONDS) as client:
            yield client, reporter
    except ClientError as error:
        raise BadInput(str(error)) from error


def _summary(stats: Stats, reporter: Reporter, fleet: LiveFleet) -> str:
    waiting = stats.waiting + len(fleet.readings)
    line = f"Sensors of {len(fleet.state.roster)} machines: {stats.accepted} readings stored, {waiting} waiting"
    for trouble in filter(None, (stats.problem, reporter.last_refusal)):
        line += f"; {trouble}"
    if stats.rejected:
        line += f"; {stats.rejected} were rejected"
    reporter.last_refusal = ""
    return f"{line}."
