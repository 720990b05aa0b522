"""P7: ingest with many stored readings and some late ones, against the same into an empty table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import URL

from app.database import make_engine
from app.ingest.packer import pack
from bench.finding import Finding, Goal
from bench.measure import out
from bench.series import MACHINES, late_day_ms
from bench.services import ask
from bench.shapes import LARGE, Drive, begun_ms, cost
from bench.target import Target

LATE_SHARE = 0.1
LEAST_RATIO = 0.9
SERIES = "p7"
PACKED_AFTER = timedelta(days=14)
FILL_AT_ONCE = 5_000_000
# Between the steps of the series, so that a late reading is new and lands among those stored.
FILL = """
    INSERT INTO readings
        (machine_id, measured_at, received_at, temperature_c, vibration_mm_s, current_a, runtime_hours)
    SELECT id, at, at + interval '1 s',
        60 + n % 97 / 10.0, 2 + n % 89 / 100.0, 10 + n % 83 / 10.0, 1000 + n / 3600.0
    FROM generate_series({since}, {until} - 1) AS n CROSS JOIN machines
    CROSS JOIN LATERAL (SELECT '{first}'::timestamptz + make_interval(secs => n + 0.505) AS at) AS time
    WHERE key LIKE '{series}-%'
"""


def fill(target: Target, url: URL, stored: int, *, packed: bool) -> None:
    """Readings of past weeks, at 1 Hz of each machine, around the day that the late ones are of.

    `packed`: in the form that the worker gives to readings of that age.
    """
    seconds = stored // MACHINES
    noon = datetime.fromtimestamp(late_day_ms(begun_ms()) / 1000, UTC) + timedelta(hours=12)
    first = noon - timedelta(seconds=seconds // 2)
    _make_room(target, first, seconds)
    for since in range(0, seconds, FILL_AT_ONCE // MACHINES):
        until = min(seconds, since + FILL_AT_ONCE // MACHINES)
        out.print(f"P7: {until * MACHINES:,} of {stored:,} readings filled in ...", style="dim", highlight=False)
        ask(url, FILL.format(first=first.isoformat(), since=since, until=until, series=SERIES))
    target.acknowledged[SERIES] += seconds * MACHINES
    if packed:
        _pack(url)
    ask(url, "VACUUM ANALYZE")
    ask(url, "CHECKPOINT")


def _make_room(target: Target, first: datetime, seconds: int) -> None:
    """Through the front door: a reading of each day makes the partitions, one of each machine the machines."""
    for day in range(seconds // 86_400 + 2):
        start_ms = int((first + timedelta(days=day)).timestamp()) * 1000
        target.send(target.next("room", start_ms, 1), 1, 1)
    target.send(target.next(SERIES, begun_ms(), MACHINES), MACHINES, 1)


def _pack(url: URL) -> None:
    engine = make_engine(url)
    done = pack(engine, datetime.now(UTC), PACKED_AFTER, lambda day, _: out.print(f"P7: {day} packed", style="dim"))
    out.print(f"P7: {done.readings:,} readings packed.", style="dim", highlight=False)
    engine.dispose()


def compare(empty: Target, full: Target, stored: str, rounds: int, seconds: float) -> Finding:
    found = Finding("P7", f"{LATE_SHARE:.0%} of the readings 30 days late, {LARGE.words}")
    drives = {
        "empty table": Drive(empty, LARGE, SERIES, LATE_SHARE),
        stored: Drive(full, LARGE, SERIES, LATE_SHARE),
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
