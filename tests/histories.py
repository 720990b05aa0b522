"""Small histories for tests of features and labels: gappy, seeded, with events."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.features.history import History, Moments
from ml.simulate.sensors import CHANNELS as SENSED

HOUR = 3600
# The first bucket of every test history; not on a block's edge.
FIRST_BUCKET = 483_000
CHANNELS = ("current_a", "runtime_hours", "temperature_c", "vibration_mm_s")
KINDS = [
    ("failure", {"code": "VIB", "component": "bearing"}),
    ("service", {"code": "preventive", "component": "fan"}),
    ("service", {"code": "inspection"}),
    ("fault_code", {"code": "E1"}),
    ("fault_code", {"code": "E2"}),
]
MACHINE_COLUMNS = ["key", "asset_class", "rated_power_kw", "rated_current_a", "installed_at", "decommissioned_at"]
EVENT_COLUMNS = ["machine", "kind", "code", "component", "started_at", "ended_at"]


def time_at(hours, minutes=0):
    """A time so many hours after the first bucket began."""
    return pd.Timestamp((FIRST_BUCKET + hours) * HOUR + minutes * 60, unit="s", tz="UTC")


def as_of(*hours):
    return np.array([(FIRST_BUCKET + h) * HOUR for h in hours], dtype=np.int64)


def moments_at(*machine_and_hours):
    machines, hours = zip(*machine_and_hours, strict=True)
    return Moments(np.array(machines, dtype=np.int64), as_of(*hours))


def events_of(*rows):
    """Each row: (machine, kind, hours, and any of code, component, ended_hours)."""
    table = [
        (m, kind, more.get("code"), more.get("component"), time_at(h, more.get("minutes", 0)),
         time_at(more["ended"]) if "ended" in more else pd.NaT)
        for m, kind, h, more in ((*row, {}) if len(row) == 3 else row for row in rows)
    ]  # fmt: skip
    events = pd.DataFrame(table, columns=EVENT_COLUMNS)
    for column in ("kind", "code", "component"):
        events[column] = events[column].astype(object).where(events[column].notna(), None)
    for column in ("started_at", "ended_at"):
        events[column] = pd.to_datetime(events[column], utc=True).astype("datetime64[us, UTC]")
    return events.sort_values(["machine", "started_at"], kind="stable").reset_index(drop=True)


def machines_of(count, installed=None, decommissioned=None, rated_current_a=10.0):
    def times(value):
        return pd.Series([value if value is not None else pd.NaT] * count, dtype="datetime64[us, UTC]")

    return pd.DataFrame(
        {
            "key": [f"m{number}" for number in range(count)],
            "asset_class": None,
            "rated_power_kw": 5.0,
            "rated_current_a": rated_current_a,
            "installed_at": times(installed),
            "decommissioned_at": times(decommissioned),
        }
    )


def history_of(rows, events=None, machines=None, channels=("temperature_c",)):
    """rows: (machine, hours, value per channel...); one reading a bucket."""
    rows = sorted(rows)
    values = np.array([row[2:] for row in rows], dtype=float).reshape(len(rows), len(channels))
    number = np.array([row[0] for row in rows], dtype=np.int64)
    return History(
        bucket_seconds=HOUR,
        machines=machines_of(int(number.max(initial=0)) + 1) if machines is None else machines,
        channels=tuple(channels),
        machine=number,
        bucket=np.array([FIRST_BUCKET + row[1] for row in rows], dtype=np.int64),
        n=np.isfinite(values).astype(float),
        mean=values,
        std=np.where(np.isfinite(values), 0.0, np.nan),
        min=values,
        max=values,
        last=values,
        events=events_of() if events is None else events,
    )


def random_history(seed, machines=4, hours=900, share=0.7, channels=CHANNELS):
    """Machines with gaps, missing channels, counter resets and events of every kind."""
    draw = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(machines), np.arange(hours), indexing="ij"), -1).reshape(-1, 2)
    grid = grid[draw.random(len(grid)) < share]
    level = draw.normal(50, 20, (machines, len(channels)))[grid[:, 0]]
    values = level + draw.normal(0, 3, level.shape) + 0.01 * grid[:, 1:]
    values[draw.random(values.shape) < 0.1] = np.nan
    if "runtime_hours" in channels:
        values[:, channels.index("runtime_hours")] = grid[:, 1] % 300 + 5
    spread = np.abs(draw.normal(0, 1, values.shape))
    events = events_of(
        *(
            (
                int(draw.integers(machines)),
                kind,
                int(draw.integers(hours)),
                {**more, "minutes": int(draw.integers(60))},
            )
            for kind, more in KINDS * 12
        )
    )
    return History(
        HOUR,
        machines_of(machines, installed=time_at(-1000)),
        tuple(channels),
        grid[:, 0].astype(np.int64),
        (FIRST_BUCKET + grid[:, 1]).astype(np.int64),
        np.where(np.isfinite(values), draw.integers(1, 5, values.shape), 0).astype(float),
        values,
        np.where(np.isfinite(values), spread, np.nan),
        values - spread,
        values + spread,
        values + draw.normal(0, 0.1, values.shape) * (np.array(channels) != "runtime_hours"),
        events,
    )


def random_moments(seed, history, count=200, hours=950):
    draw = np.random.default_rng(seed)
    machine = draw.integers(0, len(history.machines), count)
    return Moments(machine.astype(np.int64), as_of(*draw.integers(-5, hours, count)))


def rows_where(history, keep, events=None):
    """The history with only these rows, and these events."""
    return History(
        history.bucket_seconds, history.machines, history.channels, history.machine[keep], history.bucket[keep],
        history.n[keep], history.mean[keep], history.std[keep], history.min[keep], history.max[keep],
        history.last[keep], history.events if events is None else events.reset_index(drop=True),
    )  # fmt: skip


def history_of_fleet(fleet):
    """A simulated fleet as if it came out of the database; its hourly readings are a bucket each, or a few."""
    place = {key: number for number, key in enumerate(fleet.machines["key"])}
    readings = fleet.readings.assign(
        machine=fleet.readings["machine"].map(place),
        bucket=fleet.readings["measured_at"].dt.as_unit("s").astype("int64") // HOUR,
    )
    buckets = readings.groupby(["machine", "bucket"])[sorted(SENSED)]
    tables = {name: getattr(buckets, name)().to_numpy(float) for name in ("count", "mean", "min", "max", "last")}
    rows = buckets.size().index
    std = np.where(tables["count"] > 1, buckets.std(ddof=0).to_numpy(), np.where(tables["count"] == 1, 0.0, np.nan))
    machines = _as_loaded(fleet.machines, MACHINE_COLUMNS, ("installed_at", "decommissioned_at"))
    events = fleet.events.assign(machine=fleet.events["machine"].map(place))
    events = _as_loaded(events, EVENT_COLUMNS, ("started_at", "ended_at"))
    return History(
        HOUR, machines, tuple(sorted(SENSED)), rows.get_level_values("machine").to_numpy(np.int64),
        rows.get_level_values("bucket").to_numpy(np.int64), tables["count"], tables["mean"], std, tables["min"],
        tables["max"], tables["last"],
        events.sort_values(["machine", "started_at", "kind", "code", "component"], ignore_index=True),
    )  # fmt: skip


def _as_loaded(frame, columns, times):
    """These columns; times as the database gives them, words missing as None."""
    frame = frame[columns].copy()
    for column in times:
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    for column in {"code", "component"} & set(columns):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    return frame
