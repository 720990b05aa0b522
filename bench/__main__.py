"""The benchmarks' command line: which to run, how large; prints tables and writes bench/results."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from importlib import import_module

from bench.measure import Comparison, show, write

WORDS = {
    "features": "P12: our feature builder against pandas groupby.rolling, the same columns",
    "charts": "P10: the chart of a day and of 30 days at 1 Hz against reading all rows",
    "rollups": "P11: one hour of new readings with ten times the history",
    "storage": "P8: bytes a stored reading against a plain table with a primary key",
    "scoring": "P13: 10,000 machines from roll-ups to stored predictions against asking row by row",
    "fresh": "P14: from a posted reading to the risk that knows of it, 1,000 machines",
    "learning": "P15: learning the default models against a textbook's forest and LSTM; small unless told",
    "growth": "time and memory of learning and scoring with machines, years and channels; small unless told",
    "planning": "P18: a schedule of 500 machines against the riskiest first and CP-SAT left to itself; 3 minutes",
    "downtime": "does it pay: plants that live on under each policy; small unless told",
    "mqtt": "the MQTT bridge through a real Mosquitto",
    "models": "the public sets and the simulated plant, beside what others reached; 20 minutes",
    "ingest": "P1 to P7 and P16: durable ingest over HTTP against InfluxDB and the textbook endpoint",
}
# Another peer of the goal in the list of checks than the one measured here.
NOT_MEASURED = {
    "features": "Not measured here: tsfresh.",
}
# Small, so that all benchmarks together end within the hour.
SIZES = "50:0.25:4,100:0.25:4,50:0.5:4,50:0.25:8"
SIZES_IN_FULL = "50:0.25:4,50:1:4,200:0.25:4,200:1:4,200:1:12,200:1:24,1000:0.25:4,1000:1:4"


def main() -> None:
    given = _arguments()
    try:
        for name in given.names or WORDS:
            if name == "ingest":
                _ingest(given)
                continue
            if name == "models":
                _models()
                continue
            if name == "learning":
                _found(name, given.machines, given.days, given.sample)
                continue
            if name == "downtime":
                _found(name, given.machines, given.years, given.seeds, given.taught)
                continue
            if name == "growth":
                _found(name, given.sizes)
                continue
            if name in ("charts", "rollups", "storage", "scoring", "fresh", "planning", "mqtt"):
                _found(name, given.rounds)
                continue
            found, more = _measure(name, given)
            show(found)
            path = write(found, **more)
            print(f"{NOT_MEASURED[name]} Written to {path.parent.parent.name}/{path.parent.name}/{path.name}.\n")
    except KeyboardInterrupt:
        sys.exit(130)


def _measure(name: str, given: argparse.Namespace) -> tuple[Comparison, dict[str, object]]:
    """Imports only what is measured: pandas would weigh on the ingest process, PostgreSQL on the features."""
    from bench import features

    return features.measure(given.rows, given.rounds)


def _ingest(given: argparse.Namespace) -> None:
    from bench import finding, ingest

    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    by_name: dict[str, list[finding.Finding]] = {}
    plan = ingest.Plan(given.only, given.rounds, given.seconds, given.processes, given.stored, given.packed)
    for found in ingest.measure(plan):
        finding.show(found)
        by_name.setdefault(found.name, []).append(found)
    for name, all_found in by_name.items():
        finding.write(all_found, f"ingest-{name}", started_at=started_at, all_acknowledged_is_stored=True)
    print("Everything that any side acknowledged is stored. Written to bench/results/ingest-*.json.\n")


def _models() -> None:
    """Each set by itself: one that is absent says so and keeps nobody else from being measured."""
    from bench import finding
    from bench.sets import Absent

    for name in ("unlike", "lasting", "promised", "failing"):
        try:
            found: list[finding.Finding] = import_module(f"bench.{name}").measure()
        except Absent as absent:
            print(absent)
            continue
        for each in found:
            finding.show(each)
        finding.write(found, f"models-{name}")
    print("Written to bench/results/models-*.json.\n")


def _found(name: str, *how: object) -> None:
    from bench import finding

    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    found: list[finding.Finding] = import_module(f"bench.{name}").measure(*how)
    for each in found:
        finding.show(each)
    path = finding.write(found, name, started_at=started_at)
    print(f"Written to bench/results/{path.name}.\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed against peers in the same run: by turns, median and spread of the rounds.",
        epilog="benchmarks:\n"
        + "\n".join(f"  {name:<10}{words}" for name, words in WORDS.items())
        + "\n\nexample:\n  python -m bench features --rows 1000000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="BENCHMARK", help="which to run; all without it: " + ", ".join(WORDS)
    )
    parser.add_argument(
        "--rows",
        type=_positive,
        default=200_000,
        help="snapshots of `features` (default %(default)s; P12: 1000000)",
    )
    parser.add_argument(
        "--machines",
        type=_positive,
        default=50,
        help="of `learning` and of each plant of `downtime` (default %(default)s; P15: 200)",
    )
    parser.add_argument("--days", type=_positive, default=120, help="of `learning` (default %(default)s; P15: 365)")
    parser.add_argument(
        "--years", type=float, default=0.5, help="of each plant of `downtime` (default %(default)s; in full: 2)"
    )
    parser.add_argument(
        "--seeds", type=_positive, default=2, help="plants of `downtime` (default %(default)s; in full: 8)"
    )
    parser.add_argument(
        "--taught",
        type=_positive,
        metavar="MACHINES",
        help="of the plant that `downtime` learns from (default: as many as --machines; 120: 551 failures)",
    )
    parser.add_argument(
        "--sample",
        type=_positive,
        default=50_000,
        help="rows the textbook of `learning` learns from (default %(default)s; P15: 200000)",
    )
    parser.add_argument(
        "--sizes",
        type=lambda words: [_size(word) for word in words.split(",")],
        default=SIZES,
        help=f"MACHINES:YEARS:CHANNELS of `growth`, each by itself (default %(default)s; in full: {SIZES_IN_FULL})",
    )
    parser.add_argument("--rounds", type=_positive, default=3, help="runs of each side (default %(default)s)")
    parser.add_argument(
        "--only",
        type=lambda words: words.upper().split(","),
        default=["P1", "P2", "P3", "P5", "P6", "P7", "P16"],
        help="measures of `ingest`, such as P1,P3 (default: all; P4 comes with P3)",
    )
    parser.add_argument(
        "--seconds", type=float, default=4, help="length of a run of `ingest` (default %(default)s)"
    )
    parser.add_argument(
        "--stored",
        type=_positive,
        default=5_000_000,
        help="readings that P7 of `ingest` fills in first (default %(default)s; in full: 50000000)",
    )
    parser.add_argument("--packed", action="store_true", help="P7's stored readings as the worker packs them")
    parser.add_argument(
        "--processes",
        type=lambda words: [_positive(word) for word in words.split(",")],
        default=[1],
        help="service processes of `ingest`, a side for each number: 1,2 (default 1)",
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in WORDS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from: {', '.join(WORDS)}")
    return given


def _size(words: str) -> tuple[int, float, int]:
    machines, years, channels = words.split(":")
    return _positive(machines), float(years), _positive(channels)


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    main()
