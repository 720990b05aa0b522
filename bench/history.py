"""P7: ingest with many stored readings and some late ones, against the same into an empty table."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import URL

from bench.finding import Finding, Goal
from bench.measure import out
from bench.series import LATE_SECONDS, MACHINES
from bench.services import ask
from bench.shapes import BEGUN_SECONDS_AGO, LARGE, Drive, cost
from bench.target import Target

LATE_SHARE = 0.1
LEAST_RATIO = 0.9
SERIES = "p7"
FILL_AT_ONCE = 5_000_000
# Between the whole seconds of the series, so that a late reading is new and lands among those stored.
FILL = """
    INSERT INTO readings (machine_id, measured_at, temperature_c, vibration_mm_s, current_a, runtime_hours)
    SELECT id, '{first}'::timestamptz + make_interval(secs => second + 0.5),
        60 + second % 97 / 10.0, 2 + second % 89 / 100.0, 10 + second % 83 / 10.0, 1000 + second / 3600.0
    FROM generate_series({since}, {until} - 1) AS second CROSS JOIN machines WHERE key LIKE '{series}-%'
"""


def fill(target: Target, url: URL, stored: int) -> None:
    """Readings of the last weeks, at 1 Hz of each machine, around the time the late ones are of."""
    seconds = stored // MACHINES
    first = datetime.fromtimestamp(time.time() - LATE_SECONDS - seconds // 2, UTC).replace(microsecond=0)
    _make_room(target, first, seconds)
    for since in range(0, seconds, FILL_AT_ONCE // MACHINES):
        until = min(seconds, since + FILL_AT_ONCE // MACHINES)
        out.print(f"P7: {until * MACHINES:,} of {stored:,} readings filled in ...", style="dim", highlight=False)
        ask(url, FILL.format(first=first.isoformat(), since=since, until=until, series=SERIES))
    target.acknowledged[SERIES] += seconds * MACHINES
    ask(url, "VACUUM ANALYZE readings")
    ask(url, "CHECKPOINT")


def _make_room(target: Target, first: datetime, seconds: int) -> None:
    """Through the front door: a reading of each day makes the partitions, one of each machine the machines."""
    for day in range(seconds // 86_400 + 2):
        start = int((first + timedelta(days=day)).timestamp())
        target.send(target.next("room", start, 1), 1, 1)
    target.send(target.next(SERIES, int(time.time()) - BEGUN_SECONDS_AGO, MACHINES), MACHINES, 1)


def compare(empty: Target, full: Target, stored: int, rounds: int, seconds: float) -> Finding:
    found = Finding("P7", f"{LATE_SHARE:.0%} of the readings 30 days late, {LARGE.words}")
    drives = {
        "empty table": Drive(empty, LARGE, SERIES, LATE_SHARE),
        f"{stored:,} stored": Drive(full, LARGE, SERIES, LATE_SHARE),
    }
    for drive in drives.values():
        drive.warm_up()
    for number in range(1, rounds + 1):
        out.print(f"P7: round {number} of {rounds} ...", style="dim", highlight=False)
        for name, drive in drives.items():
            found.add(name, cost(drive.run(seconds)))
    ratios = found.ratios("readings/s", *reversed(drives))
    found.goals.append(Goal("full against empty", ratios, LEAST_RATIO))
    return found
