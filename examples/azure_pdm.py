"""The Microsoft Azure Predictive Maintenance sample data as Wearwatch's three CSV files.

The set is public: search for "Microsoft Azure Predictive Maintenance sample data" (files PdM_telemetry, PdM_errors,
PdM_maint, PdM_failures and PdM_machines, as .csv or .csv.gz). Times are taken as UTC. The four telemetry columns
carry no units, so they become extra channels under their own names.

Example: python examples/azure_pdm.py ~/azure-pdm --out azure && wearwatch import readings azure/readings.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from set_files import stop, table, write

ORIGIN = (
    'Get the public "Microsoft Azure Predictive Maintenance sample data" and name the folder with its PdM_ files.'
)
CHANNELS = ("volt", "rotate", "pressure", "vibration")
EVENT_COLUMNS = ("machine", "kind", "code", "component", "started_at", "ended_at", "note")
YEAR = timedelta(days=365.25)
# Copies of the set differ in how they write times.
OTHER_TIME = "%m/%d/%Y %I:%M:%S %p"
Event = tuple[str, str, str, str, str, str, str]


def utc(text: str, name: str) -> datetime:
    for read in (datetime.fromisoformat, lambda value: datetime.strptime(value, OTHER_TIME)):
        try:
            return read(text).replace(tzinfo=UTC)
        except ValueError:
            continue
    stop(f"{name}: {text!r} is not a time.")


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def key(number: str) -> str:
    return f"machine-{number}"


def readings(folder: Path, seen: list[datetime]) -> Iterator[list[str]]:
    """Rows of readings.csv; `seen` gets the earliest and latest time."""
    name = "PdM_telemetry.csv"
    for row in table(folder, name, ("datetime", "machineID", *CHANNELS), ORIGIN):
        at = utc(row["datetime"], name)
        seen[:] = [min([*seen[:1], at]), max([*seen[1:], at])]
        yield [key(row["machineID"]), iso(at), *(row[channel] for channel in CHANNELS)]


def machines(folder: Path, start: datetime) -> Iterator[list[str]]:
    name = "PdM_machines.csv"
    for row in table(folder, name, ("machineID", "model", "age"), ORIGIN):
        try:
            installed = start - float(row["age"]) * YEAR
        except (ValueError, OverflowError):
            stop(f"{name}: {row['age']!r} is not an age in years.")
        yield [key(row["machineID"]), row["model"], iso(installed)]


def events(folder: Path) -> Iterator[Event]:
    """Errors, failures, and services: corrective where the same component failed at that time."""
    failures = [
        (key(row["machineID"]), iso(utc(row["datetime"], "PdM_failures.csv")), row["failure"])
        for row in table(folder, "PdM_failures.csv", ("datetime", "machineID", "failure"), ORIGIN)
    ]
    failed = set(failures)
    for machine, at, component in failures:
        yield machine, "failure", component, component, at, "", ""
    for row in table(folder, "PdM_maint.csv", ("datetime", "machineID", "comp"), ORIGIN):
        machine, at, component = key(row["machineID"]), iso(utc(row["datetime"], "PdM_maint.csv")), row["comp"]
        code = "corrective" if (machine, at, component) in failed else "preventive"
        yield machine, "service", code, component, at, "", ""
    for row in table(folder, "PdM_errors.csv", ("datetime", "machineID", "errorID"), ORIGIN):
        at = iso(utc(row["datetime"], "PdM_errors.csv"))
        yield key(row["machineID"]), "fault_code", row["errorID"], "", at, "", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the PdM_ files")
    parser.add_argument("--out", type=Path, required=True, help="folder for machines.csv, readings.csv, events.csv")
    given = parser.parse_args()
    seen: list[datetime] = []
    write(given.out, "readings.csv", ("machine", "measured_at", *CHANNELS), readings(given.folder, seen))
    if not seen:
        stop("PdM_telemetry.csv holds no rows.")
    first, last = seen
    write(given.out, "machines.csv", ("key", "asset_class", "installed_at"), machines(given.folder, first))
    write(given.out, "events.csv", EVENT_COLUMNS, sorted(events(given.folder), key=lambda event: event[4]))
    cut = (first + 0.75 * (last - first)).replace(minute=0, second=0)
    print(
        f"Readings run from {iso(first)} to {iso(last)}. To learn from the first three quarters and try the rest:"
    )
    print(f"  wearwatch train --until {iso(cut)} --horizons 24h,48h,7d")
    print(f"  wearwatch backtest --from {iso(cut)} --to {iso(last)} --every 1h --out backtest.csv")


if __name__ == "__main__":
    main()
