"""A database of its own with readings already in it, for measures of what is done with stored readings."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

from app.database import make_engine, session_scope
from app.embedded import start_embedded
from app.ingest.partitions import ensure_partitions, month_of
from app.migrate import migrate
from app.settings import Settings
from bench.services import new_database

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# Rounded as sensors round, with noise and a slow rise and fall; each is received within half a second.
FILL = """
    INSERT INTO {table} (machine_id, measured_at, received_at, {channels})
    SELECT machine, measured_at, measured_at + random() * interval '0.5 s',
        round((60 + 5 * sin(second / 9000.0) + random())::numeric, 1),
        round((2 + sin(second / 3000.0) + random() / 5)::numeric, 2),
        round((14 + random())::numeric, 1), round((1000 + second / 3600.0)::numeric, 3)
    FROM generate_series(0, :seconds - 1, :every) AS second
    CROSS JOIN generate_series(1, :machines) AS machine
    CROSS JOIN LATERAL (SELECT CAST(:since AS timestamptz) + make_interval(secs => second) AS measured_at) AS at
"""
CHANNELS = "temperature_c, vibration_mm_s, current_a, runtime_hours"
MARK = """
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT DISTINCT machine_id, date_bin('1 hour', measured_at, 'epoch') FROM readings
    WHERE measured_at >= :since AND measured_at < :until
"""


def server() -> tuple[URL, Settings]:
    """An embedded PostgreSQL that is gone at the end, with its data."""
    folder = Path(tempfile.mkdtemp(prefix="wearwatch-bench-"))
    # Registered before PostgreSQL's own farewell, and so called after it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return start_embedded(folder), Settings(data_dir=folder)


def database(url: URL, name: str, machines: int) -> Engine:
    engine = make_engine(new_database(url, name))
    migrate(engine)
    with session_scope(engine) as session:
        session.execute(
            text("INSERT INTO machines (key, configured) SELECT 'm' || n, true FROM generate_series(1, :n) AS n"),
            {"n": machines},
        )
    return engine


def fill(
    engine: Engine,
    machines: int,
    since: datetime,
    until: datetime,
    every_seconds: int = 1,
    table: str = "readings",
) -> int:
    """A reading of each machine every so often; how many."""
    days = range((until - since).days + 1)
    ensure_partitions(engine, {month_of((since + timedelta(days=day)).date()) for day in days})
    seconds = int((until - since).total_seconds())
    given = {"machines": machines, "since": since, "seconds": seconds, "every": every_seconds}
    with session_scope(engine) as session:
        session.execute(text(FILL.format(table=table, channels=CHANNELS)), given)
    return machines * len(range(0, seconds, every_seconds))


def mark(session: Session, since: datetime, until: datetime) -> None:
    """As ingest notes what it touched."""
    session.execute(text(MARK), {"since": since, "until": until})


def settle(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def last_hour() -> datetime:
    """The begin of the hour under way."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def server_cpu_seconds(session: Session, work: Callable[[], object]) -> float:
    """User and system time that the session's server process takes for the work."""
    number = session.scalar(text("SELECT pg_backend_pid()"))
    before = _ticks(number)
    work()
    return (_ticks(number) - before) / TICKS_A_SECOND


def _ticks(process: int | None) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
