"""The Skoltech Anomaly Benchmark (a real pump test bed at 1 Hz) as one Wearwatch CSV file, and the truth beside it.

The set is public: search for "SKAB Skoltech Anomaly Benchmark"; name a folder that holds its files, such as
`valve1`, as .csv or .csv.gz. Each file becomes a machine, and all of them begin at the same second, so that one
backtest sees them side by side. truth.csv (machine, measured_at, anomaly) is for judging only: never import it.

Example: python examples/skab.py ~/skab/valve1 --out skab && wearwatch import readings skab/readings.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from set_files import stop, table, write

ORIGIN = 'Get the public "Skoltech Anomaly Benchmark" (SKAB) and name one of its folders.'
LABELS = ("anomaly", "changepoint")
START = datetime(2020, 3, 1, tzinfo=UTC)
# By the leaderboard's protocol the first 400 rows of each file teach and the rest is judged.
TAUGHT = 400
SECOND = timedelta(seconds=1)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


Rows = list[dict[str, str]]


def pumps(folder: Path) -> dict[str, Rows]:
    """Machine -> its rows, file by file in order; all of them have the first one's columns."""
    names = sorted({path.name.removesuffix(".gz") for path in folder.glob("*.csv*")})
    found: dict[str, Rows] = {}
    columns: tuple[str, ...] = ("datetime",)
    for name in names:
        rows = list(table(folder, name, columns, ORIGIN, separator=";")) or stop(f"{name} holds no rows.")
        columns = columns if found else tuple(rows[0])
        found[f"{folder.name}-{name.removesuffix('.csv')}"] = rows
    return found or stop(f"{folder} holds no .csv files. {ORIGIN}")


def told(machines: dict[str, Rows], columns: Sequence[str]) -> Iterator[list[str]]:
    """These columns of every row, machine and time in front."""
    for machine, rows in machines.items():
        for number, row in enumerate(rows):
            yield [machine, iso(START + number * SECOND), *(row.get(column, "0") for column in columns)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the files, such as valve1")
    parser.add_argument("--out", type=Path, required=True, help="folder for readings.csv and truth.csv")
    given = parser.parse_args()
    machines = pumps(given.folder)
    channels = [name for name in next(iter(machines.values()))[0] if name not in ("datetime", *LABELS)]
    written = [name.strip().lower().replace(" ", "_") for name in channels]
    write(given.out, "readings.csv", ("machine", "measured_at", *written), told(machines, channels))
    write(given.out, "truth.csv", ("machine", "measured_at", "anomaly"), told(machines, ["anomaly"]))
    longest = max(map(len, machines.values()))
    print("With WEARWATCH_BUCKET=1s, to learn each machine's normal from its first 400 seconds and judge the rest:")
    print(f"  wearwatch train --until {iso(START + TAUGHT * SECOND)}")
    print(
        f"  wearwatch backtest --from {iso(START + (TAUGHT + 1) * SECOND)} --to {iso(START + longest * SECOND)}"
        " --every 1s --out backtest.csv"
    )


if __name__ == "__main__":
    main()
