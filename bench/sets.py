"""Public sets as histories: turned by the scripts of `examples/`, read as the database would give them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.dataset import EVENT_COLUMNS, MACHINE_COLUMNS
from ml.features.history import History, Ints

ROOT = Path(__file__).parents[1]
OUTSIDE = Path(os.environ.get("WEARWATCH_OUTSIDE_DATA", ROOT.parent / "shared" / "data"))
TABLES = ("n", "mean", "std", "min", "max", "last")


class Absent(Exception):
    """A public set is not on this machine; says which and how to name its folder."""


def published() -> dict[str, Any]:
    """What others reached on the sets; `examples/judge.py` says what each figure is."""
    found: dict[str, Any] = json.loads((ROOT / "examples" / "published.json").read_text())
    return found


@contextmanager
def turned(script: str, folder: str, *more: str) -> Iterator[Path]:
    """The CSV files that `examples/<script>` makes of a set, in a folder that goes away."""
    source = OUTSIDE / folder
    if not source.is_dir():
        raise Absent(f"The public set {folder} is not in {OUTSIDE}; name its folder in WEARWATCH_OUTSIDE_DATA.")
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(ROOT / "examples" / script), str(source), *more, "--out", out]
        subprocess.run(command, check=True, capture_output=True)
        yield Path(out)


def history_in(folder: Path, bucket_seconds: int = 3600) -> History:
    """Machines without a row of their own come from the readings."""
    readings = pd.read_csv(folder / "readings.csv")
    machines, events = (_table(folder / f"{name}.csv") for name in ("machines", "events"))
    if machines.empty:
        machines = pd.DataFrame({"key": readings["machine"].unique()})
    return history_of(machines, readings, events, bucket_seconds)


def history_of(
    machines: pd.DataFrame, readings: pd.DataFrame, events: pd.DataFrame, bucket_seconds: int
) -> History:
    """From tables as the CSV files have them; of each bucket the last reading."""
    machines = machines.sort_values("key", ignore_index=True)
    place = {key: number for number, key in enumerate(machines["key"])}
    at = pd.to_datetime(readings["measured_at"], utc=True).dt.as_unit("s").astype("int64").to_numpy()
    machine, bucket = readings["machine"].map(place).to_numpy(np.int64), at // bucket_seconds
    order = np.lexsort((np.arange(len(at)), bucket, machine))
    again = (np.diff(machine[order]) == 0) & (np.diff(bucket[order]) == 0)
    order = order[np.r_[~again, True]]
    channels = tuple(sorted(set(readings.columns) - {"machine", "measured_at"}))
    values = readings[list(channels)].to_numpy(float)[order]
    known = np.isfinite(values)
    concerned = events["machine"].map(place) if len(events) else None
    events = as_loaded(events.assign(machine=concerned), EVENT_COLUMNS)
    tables = dict.fromkeys(("mean", "min", "max", "last"), values)
    return History(
        bucket_seconds,
        as_loaded(machines, MACHINE_COLUMNS),
        channels,
        machine[order],
        bucket[order],
        n=known.astype(float),
        std=np.where(known, 0.0, np.nan),
        events=events.astype({"machine": np.int64}).sort_values(
            ["machine", "started_at", "kind", "code", "component"], ignore_index=True
        ),
        **tables,
    )


def until(history: History, end: int) -> History:
    """What was known at `end` (epoch seconds)."""
    begun = history.events["started_at"].astype("int64") // 1_000_000 < end
    return _part(history, (history.bucket + 1) * history.bucket_seconds <= end, history.events[begun])


def only(history: History, machines: Ints) -> History:
    """These machines' rows and events; the others stay in the list and have nothing."""
    chosen = history.events["machine"].isin(machines)
    return _part(history, np.isin(history.machine, machines), history.events[chosen])


def without_fault_codes(history: History) -> History:
    events = history.events[history.events["kind"] != "fault_code"]
    return replace(history, events=events.reset_index(drop=True))


def _part(history: History, rows: np.ndarray, events: pd.DataFrame) -> History:
    tables = {name: getattr(history, name)[rows] for name in ("machine", "bucket", *TABLES)}
    return replace(history, events=events.reset_index(drop=True), **tables)


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"code": str, "component": str}) if path.exists() else pd.DataFrame()


def as_loaded(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Columns and types as ml.dataset gives them."""
    frame = table.reindex(columns=columns)
    for name in columns:
        if name.endswith("_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        elif name.startswith("rated_"):
            frame[name] = frame[name].astype(float)
        elif name != "machine":
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame
