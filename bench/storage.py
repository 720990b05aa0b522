"""P8: bytes on disk a stored reading, with every index, against a plain table with a b-tree primary key."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, text

from app.database import session_scope
from app.ingest.packer import pack
from bench.finding import Finding, Goal
from bench.measure import out
from bench.stored import database, fill, last_hour, server, settle

MOST_RATIO = 0.7
DAYS = 5
# How often a machine sends -> how many machines, so that both hold a like number of readings.
SHAPES = {1: 1, 10: 10, 60: 60}
PLAIN = """
    CREATE TABLE plain (
        machine_id int NOT NULL, measured_at timestamptz NOT NULL, received_at timestamptz NOT NULL,
        temperature_c float8, vibration_mm_s float8, current_a float8, runtime_hours float8, extra jsonb,
        PRIMARY KEY (machine_id, measured_at)
    )
"""
SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
    WHERE relkind = 'r' AND (oid = to_regclass(:name)
        OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(:name)))
"""


def measure(rounds: int) -> list[Finding]:
    """Sizes do not vary from round to round: one is enough."""
    url, _ = server()
    return [
        _compare(database(url, f"every{seconds}", machines), machines, seconds)
        for seconds, machines in SHAPES.items()
    ]


def _compare(engine: Engine, machines: int, every_seconds: int) -> Finding:
    found = Finding(f"P8-{every_seconds}s", f"a reading every {every_seconds} s of each machine, {DAYS} days")
    out.print(f"{found.name}: filling in ...", style="dim", highlight=False)
    until = last_hour().replace(hour=0)
    since = until - timedelta(days=DAYS)
    with session_scope(engine) as session:
        session.execute(text(PLAIN))
    n = fill(engine, machines, since, until, every_seconds, "plain")
    fill(engine, machines, since, until, every_seconds)
    settle(engine)
    found.add("plain table", {"bytes/reading": _size(engine, "plain") / n})
    found.add("fresh", {"bytes/reading": _size(engine, "readings") / n})
    packed = pack(engine, until + timedelta(days=1), timedelta())
    if packed.readings != n:
        raise RuntimeError(f"{packed.readings} readings were packed of {n}.")
    settle(engine)
    after = _size(engine, "readings") + _size(engine, "reading_blocks")
    found.add("packed", {"bytes/reading": after / n})
    found.goals.append(
        Goal("packed against plain", found.ratios("bytes/reading", "packed", "plain table"), MOST_RATIO, True)
    )
    return found


def _size(engine: Engine, name: str) -> int:
    with session_scope(engine) as session:
        return int(session.scalar(text(SIZE), {"name": name}) or 0)
