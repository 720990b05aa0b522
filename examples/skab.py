"""The Skoltech Anomaly Benchmark (a real pump test bed at 1 Hz) as one Wearwatch CSV file, and the truth beside it.

The set is public: search for "SKAB Skoltech Anomaly Benchmark"; name a folder that holds its files, such as
`valve1`, as .csv or .csv.gz. Each file becomes a machine, and all of them begin at the same second, so that one
backtest sees them side by side. truth.csv (machine, measured_at, anomaly) is for judging only: never import it.

Example: python examples/skab.py ~/skab/valve1 --out skab && wearwatch import readings skab/readings.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
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


def files(folder: Path) -> dict[str, str]:
    """Machine -> file name, in order."""
    names = sorted({path.name.removesuffix(".gz") for path in folder.glob("*.csv*")})
    return {f"{folder.name}-{name.removesuffix('.csv')}": name for name in names} or stop(
        f"{folder} holds no .csv files. {ORIGIN}"
    )


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return list(table(folder, name, ("datetime",), ORIGIN, separator=";"))


def channels(folder: Path, name: str) -> tuple[str, ...]:
    return tuple(column for column in rows(folder, name)[0] if column not in ("datetime", *LABELS))


def readings(folder: Path, machines: dict[str, str], names: tuple[str, ...]) -> Iterator[list[str]]:
    for machine, name in machines.items():
        for number, row in enumerate(rows(folder, name)):
            yield [machine, iso(START + number * SECOND), *(row[channel] for channel in names)]


def truth(folder: Path, machines: dict[str, str]) -> Iterator[list[str]]:
    for machine, name in machines.items():
        for number, row in enumerate(rows(folder, name)):
            yield [machine, iso(START + number * SECOND), row.get("anomaly", "0")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the files, such as valve1")
    parser.add_argument("--out", type=Path, required=True, help="folder for readings.csv and truth.csv")
    given = parser.parse_args()
    machines = files(given.folder)
    first = next(iter(machines.values()))
    names = channels(given.folder, first)
    written = [name.strip().lower().replace(" ", "_") for name in names]
    write(given.out, "readings.csv", ("machine", "measured_at", *written), readings(given.folder, machines, names))
    write(given.out, "truth.csv", ("machine", "measured_at", "anomaly"), truth(given.folder, machines))
    longest = max(len(rows(given.folder, name)) for name in machines.values())
    print("With WEARWATCH_BUCKET=1s, to learn each machine's normal from its first 400 seconds and judge the rest:")
    print(f"  wearwatch train --until {iso(START + TAUGHT * SECOND)}")
    print(
        f"  wearwatch backtest --from {iso(START + (TAUGHT + 1) * SECOND)} --to {iso(START + longest * SECOND)}"
        " --every 1s --out backtest.csv"
    )


if __name__ == "__main__":
    main()
