"""SQL for what only pages need: lines in tiles, a machine's own normal, refused and contradicting readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from app.fleet.tables import Event, Machine
from app.ingest.tables import Channel, ReadingConflict, RejectedReading, Rollup

SPARK_POINTS = 48
# However narrow a bucket is, a tile or a median never reads more than this many of one channel.
MOST_SPARK_BUCKETS, MOST_NORMAL_BUCKETS = 500, 5000
LONGEST_SPARK = timedelta(days=7)
NORMAL_WINDOW, NORMAL_LAG = timedelta(days=90), timedelta(days=7)
# A median of fewer buckets would be called normal without being it.
LEAST_NORMAL_BUCKETS = 24
# Years of refusals must not make the page slow; from here on it says "or more".
COUNTED_UP_TO = 10_000

# The first of these a machine has is drawn; a counter that only rises tells nothing.
SPARKS = """
    WITH preferred AS (
        SELECT id, row_number() OVER (ORDER BY key <> 'vibration_mm_s', key <> 'temperature_c',
            key <> 'current_a', key) AS place
        FROM channels WHERE key <> 'runtime_hours'
    )
    SELECT m.id AS machine_id,
        width_bucket(extract(epoch FROM r.bucket_start), CAST(:since AS double precision),
            CAST(:until AS double precision), :points) AS slot,
        sum(r.mean * r.n) / sum(r.n) AS mean
    FROM unnest(CAST(:machine_ids AS int[])) AS m(id)
    CROSS JOIN LATERAL (
        SELECT preferred.id FROM preferred
        WHERE EXISTS (
            SELECT 1 FROM rollups x
            WHERE x.machine_id = m.id AND x.channel_id = preferred.id
                AND x.bucket_start >= to_timestamp(:since) AND x.bucket_start < to_timestamp(:until)
        )
        ORDER BY place LIMIT 1
    ) channel
    JOIN rollups r ON r.machine_id = m.id AND r.channel_id = channel.id
        AND r.bucket_start >= to_timestamp(:since) AND r.bucket_start < to_timestamp(:until)
    GROUP BY 1, 2
"""

NORMALS = """
    SELECT channels.key, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.mean) AS normal
    FROM rollups r JOIN channels ON channels.id = r.channel_id
    WHERE r.machine_id = :machine_id AND r.bucket_start >= :since AND r.bucket_start < :until
    GROUP BY channels.key HAVING count(*) >= :least
"""


def spark_window(bucket: timedelta) -> timedelta:
    return min(LONGEST_SPARK, MOST_SPARK_BUCKETS * bucket)


def sparks(
    session: Session, machine_ids: Sequence[int], until: datetime, window: timedelta
) -> dict[int, list[float | None]]:
    """By machine id: SPARK_POINTS means over the window, None where nothing was measured."""
    given = {
        "machine_ids": list(machine_ids),
        "since": (until - window).timestamp(),
        "until": until.timestamp(),
        "points": SPARK_POINTS,
    }
    drawn: dict[int, list[float | None]] = {}
    for machine_id, slot, mean in session.execute(text(SPARKS), given):
        drawn.setdefault(machine_id, [None] * SPARK_POINTS)[min(slot, SPARK_POINTS) - 1] = mean
    return drawn


def own_normals(session: Session, machine_id: int, now: datetime, bucket: timedelta) -> Mapping[str, float]:
    """By channel: the median of the weeks before last week, so that what rises now does not hide itself."""
    lag = min(NORMAL_LAG, MOST_SPARK_BUCKETS * bucket)
    until = now - lag
    since = until - min(NORMAL_WINDOW, MOST_NORMAL_BUCKETS * bucket)
    given = {"machine_id": machine_id, "since": since, "until": until, "least": LEAST_NORMAL_BUCKETS}
    return {row.key: row.normal for row in session.execute(text(NORMALS), given)}


def running_hours(session: Session, machine_id: int) -> float | None:
    newest = """
        SELECT r.last FROM rollups r JOIN channels ON channels.id = r.channel_id AND channels.key = 'runtime_hours'
        WHERE r.machine_id = :machine_id ORDER BY r.bucket_start DESC LIMIT 1
    """
    found: float | None = session.scalar(text(newest), {"machine_id": machine_id})
    return found


def sites_and_lines(session: Session) -> tuple[tuple[str, ...], tuple[str, ...]]:
    sites = session.scalars(select(Machine.site).where(Machine.site.is_not(None)).distinct().order_by(Machine.site))
    lines = session.scalars(select(Machine.line).where(Machine.line.is_not(None)).distinct().order_by(Machine.line))
    return tuple(map(str, sites)), tuple(map(str, lines))


def machine_channels(session: Session, machine_id: int) -> list[str]:
    """The channels a machine has ever had."""
    there = select(Rollup.machine_id).where(Rollup.machine_id == machine_id, Rollup.channel_id == Channel.id)
    return [str(key) for key in session.scalars(select(Channel.key).where(there.exists()).order_by(Channel.key))]


def recent_events(session: Session, since: datetime, most: int) -> list[Mapping[str, Any]]:
    query = (
        select(Machine.key, Event.kind, Event.code, Event.component, Event.started_at)
        .join(Machine, Machine.id == Event.machine_id)
        .where(Event.started_at >= since)
        .order_by(Event.started_at.desc())
        .limit(most)
    )
    return [dict(row) for row in session.execute(query).mappings()]


def ledger_sizes(session: Session, sender: str | None = None, machine: Machine | None = None) -> tuple[int, int]:
    """How many readings were refused, and how many contradicted, counted up to COUNTED_UP_TO."""
    refused, contradicted = select(RejectedReading.id), select(ReadingConflict.id)
    if sender is not None:
        refused = refused.where(RejectedReading.sender == sender)
        contradicted = contradicted.where(ReadingConflict.sender == sender)
    if machine is not None:
        refused = refused.where(RejectedReading.machine == machine.key)
        contradicted = contradicted.where(ReadingConflict.machine_id == machine.id)
    return _count(session, refused), _count(session, contradicted)


def _count(session: Session, query: Select[int]) -> int:
    return session.scalar(select(func.count()).select_from(query.limit(COUNTED_UP_TO).subquery())) or 0
