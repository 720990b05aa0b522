"""NASA's C-MAPSS turbofans as Wearwatch's three CSV files, and the truth to judge by in a fourth.

The set is public: "NASA C-MAPSS" (turbofan engine degradation simulation) in the Prognostics Center of Excellence
data repository: train_FD001.txt, test_FD001.txt, RUL_FD001.txt and so on, as .txt or .txt.gz.

One cycle counts as one hour. Train engines start a day apart, as a fleet's would, so that a split by time has
failures on both sides; each ends with a failure. All test engines come after them and are cut at the same hour, so
one backtest at that hour sees each engine's last cycle and nothing later. truth.csv (machine, remaining_life_hours)
is for judging only: never import it.

Example: python examples/cmapss.py ~/cmapss --set FD001 --out fd001 && wearwatch import readings fd001/readings.csv
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from set_files import open_set_file, stop, write

ORIGIN = 'Get "NASA C-MAPSS" from the Prognostics Center of Excellence data repository and name its folder.'
CHANNELS = tuple(f"setting{n}" for n in range(1, 4)) + tuple(f"sensor{n}" for n in range(1, 22))
EVENT_COLUMNS = ("machine", "kind", "code", "component", "started_at", "ended_at", "note")
ORIGIN_TIME = datetime(2020, 1, 1, tzinfo=UTC)
CYCLE = timedelta(hours=1)
BETWEEN_STARTS = timedelta(hours=24)
Engines = dict[int, list[list[str]]]


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def lines(folder: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of the lines that are not empty."""
    with open_set_file(folder, name, ORIGIN) as file:
        try:
            for number, line in enumerate(file, 1):
                if fields := line.split():
                    yield number, fields
        except (OSError, EOFError, UnicodeDecodeError) as error:
            stop(f"{name} cannot be read: {error}.")


def engines(folder: Path, name: str) -> Engines:
    """Unit -> the 24 channels of each cycle, in order."""
    found: Engines = {}
    for number, fields in lines(folder, name):
        try:
            unit, cycle, values = int(fields[0]), int(fields[1]), fields[2:]
            right = len(values) == len(CHANNELS) and all(math.isfinite(float(value)) for value in values)
        except (ValueError, IndexError):
            right = False
        if not right:
            stop(f"{name}, line {number}: expected unit, cycle and {len(CHANNELS)} numbers.")
        if cycle != len(found.setdefault(unit, [])) + 1:
            stop(f"{name}, line {number}: cycle {cycle} of unit {unit} is out of order.")
        found[unit].append(values)
    return found or stop(f"{name} holds no engine.")


def remaining_life(folder: Path, name: str, units: int) -> list[float]:
    """Cycles each test engine had left, in unit order."""
    try:
        found = [float(fields[0]) for _, fields in lines(folder, name)]
    except ValueError:
        stop(f"{name} holds something that is not a number.")
    if len(found) != units:
        stop(f"{name} has {len(found)} lines for {units} test engines.")
    return found


def key(kind: str, unit: int) -> str:
    return f"{kind}-{unit:03d}"


def starts(train: Engines, test: Engines) -> tuple[dict[str, datetime], datetime, datetime]:
    """When each engine's first cycle begins, when the last train engine has failed, when test engines are cut."""
    begins = {key("train", unit): ORIGIN_TIME + place * BETWEEN_STARTS for place, unit in enumerate(train)}
    trained = max(begins[key("train", unit)] + len(cycles) * CYCLE for unit, cycles in train.items()) + CYCLE
    cut = trained + max(len(cycles) for cycles in test.values()) * CYCLE
    begins |= {key("test", unit): cut - len(cycles) * CYCLE for unit, cycles in test.items()}
    return begins, trained, cut


def readings(kind: str, fleet: Engines, begins: dict[str, datetime]) -> Iterator[list[str]]:
    for unit, cycles in fleet.items():
        machine = key(kind, unit)
        for number, values in enumerate(cycles):
            yield [machine, iso(begins[machine] + number * CYCLE), *values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with train_, test_ and RUL_ files")
    parser.add_argument("--set", default="FD001", choices=["FD001", "FD002", "FD003", "FD004"], help="which subset")
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSV files")
    given = parser.parse_args()
    train, test = (engines(given.folder, f"{kind}_{given.set}.txt") for kind in ("train", "test"))
    left = remaining_life(given.folder, f"RUL_{given.set}.txt", len(test))
    begins, trained, cut = starts(train, test)
    ends = {key("train", unit): begins[key("train", unit)] + len(cycles) * CYCLE for unit, cycles in train.items()}
    write(
        given.out,
        "machines.csv",
        ("key", "asset_class", "installed_at", "decommissioned_at"),
        ([m, "turbofan", iso(at), iso(ends[m] + CYCLE) if m in ends else ""] for m, at in begins.items()),
    )
    rows = (row for kind, fleet in (("train", train), ("test", test)) for row in readings(kind, fleet, begins))
    write(given.out, "readings.csv", ("machine", "measured_at", *CHANNELS), rows)
    failures = ((m, "failure", "BRD", "engine", iso(at), "", "end of life") for m, at in ends.items())
    write(given.out, "events.csv", EVENT_COLUMNS, failures)
    truth = zip((key("test", unit) for unit in test), left, strict=True)
    write(given.out, "truth.csv", ("machine", "remaining_life_hours"), truth)
    print("To learn from the train engines and look at each test engine's last cycle:")
    print(f"  wearwatch train --until {iso(trained)} --horizons {','.join(f'{h}h' for h in range(5, 130, 5))}")
    print(f"  wearwatch backtest --from {iso(cut)} --to {iso(cut)} --every 1h --out backtest.csv")


if __name__ == "__main__":
    main()
