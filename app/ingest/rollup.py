"""Roll-ups kept exact: every touched bucket is computed again from its readings, and no other is looked at.

Aggregates run in the order of measured_at, so that the order of arrival changes no digit.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.announce import announce
from app.database import Bind, session_scope
from app.ingest.tables import CORE_CHANNELS
from app.settings import Settings

ROLLUP_LOCK = 7_392_841_339
# Sorting one step's readings in memory instead of on disk.
WORK_MEMORY = "64MB"
# A channel is a column of the learner's tables; beyond this a sender makes names up, and new ones stay raw.
MOST_CHANNELS = 5_000

TAKE = text(
    """
    CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
    WITH gone AS (
        DELETE FROM touched_buckets
        WHERE id <= (SELECT max(id) FROM (SELECT id FROM touched_buckets ORDER BY id LIMIT :limit) AS oldest)
        RETURNING machine_id, bucket_start
    )
    SELECT DISTINCT machine_id, date_bin(make_interval(secs => :width), bucket_start, 'epoch') AS bucket_start
    FROM gone
    """
)
# Looked up once; every channel is aggregated from here.
LOOK_UP = text(
    """
    CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
    SELECT taken.bucket_start, r.*
    FROM taken JOIN readings AS r ON r.machine_id = taken.machine_id
        AND r.measured_at >= taken.bucket_start
        AND r.measured_at < taken.bucket_start + make_interval(secs => :width)
    """
)
NEW_CHANNELS = text(
    f"""
    INSERT INTO channels (key)
    SELECT key FROM (SELECT DISTINCT jsonb_object_keys(extra) AS key FROM touched) AS seen
    WHERE NOT EXISTS (SELECT FROM channels WHERE channels.key = seen.key)
    ORDER BY key LIMIT greatest(0, {MOST_CHANNELS} - (SELECT count(*) FROM channels))
    ON CONFLICT DO NOTHING
    """  # noqa: S608  (text of our own)
)


FIGURES = ("n", "mean", "min", "max", "std", "last")
# In the order of FIGURES; rounding must not carry a mean beyond the extremes.
COMPUTED = """count(value),
        greatest(min(value), least(max(value), avg(value ORDER BY measured_at))), min(value), max(value),
        stddev_pop(value ORDER BY measured_at), (array_agg(value ORDER BY measured_at))[count(value)]"""
NAMED = " UNION ALL ".join(
    f"SELECT machine_id, {number}::smallint AS channel_id, bucket_start, measured_at, {channel} AS value FROM touched"  # noqa: S608, E501
    for number, channel in enumerate(CORE_CHANNELS, start=1)
)
WRITE = text(
    f"""
    INSERT INTO rollups (machine_id, channel_id, bucket_start, {", ".join(FIGURES)})
    SELECT machine_id, channel_id, bucket_start, {COMPUTED}
    FROM (
        {NAMED} UNION ALL
        SELECT machine_id, channels.id, bucket_start, measured_at, each.value::float8
        FROM touched CROSS JOIN LATERAL jsonb_each(extra) AS each JOIN channels ON channels.key = each.key
    ) AS measured
    WHERE value IS NOT NULL
    GROUP BY machine_id, channel_id, bucket_start
    ON CONFLICT (machine_id, channel_id, bucket_start) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in FIGURES)}
    """  # noqa: S608  (text of our own)
)


def roll_up_all(bind: Bind, settings: Settings, progress: Callable[[float], None] | None = None) -> int:
    """Roll up until no touched bucket is left, one transaction a step; how many buckets were done."""
    with session_scope(bind) as session:
        ensure_bucket_width(session, settings)
        marks = session.scalar(text("SELECT count(*) FROM touched_buckets")) or 0
    done = 0
    while True:
        with session_scope(bind) as session:
            step = roll_up_touched(session, settings)
        done += step
        if progress:
            progress(min(done / marks, 1.0) if step and marks else 1.0)
        if not step:
            return done


def roll_up_touched(session: Session, settings: Settings, limit: int = 20_000) -> int:
    """Take up to `limit` marks and write the roll-ups of their buckets; how many buckets; 0 when no mark is left.

    Marks and roll-ups change in one transaction; one worker at a time, the others wait.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLLUP_LOCK})
    session.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
    width = {"width": settings.bucket_seconds}
    session.execute(text("DROP TABLE IF EXISTS pg_temp.taken, pg_temp.touched"))
    session.execute(TAKE, {**width, "limit": limit})
    session.execute(text("ANALYZE taken"))
    taken = session.scalar(text("SELECT count(*) FROM taken")) or 0
    if taken:
        session.execute(LOOK_UP, width)
        session.execute(text("ANALYZE touched"))
        session.execute(NEW_CHANNELS)
        session.execute(WRITE)
        announce(session, "reading")
    return taken


def ensure_bucket_width(session: Session, settings: Settings) -> None:
    """Where the roll-ups were made with another width, drop them and mark every bucket of the new one."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLLUP_LOCK})
    width = {"width": settings.bucket_seconds}
    made_with = session.scalar(text("SELECT bucket_seconds FROM rollup_state WHERE id = 1"))
    if made_with == settings.bucket_seconds:
        return
    session.execute(
        text(
            """INSERT INTO rollup_state (id, bucket_seconds) VALUES (1, :width)
            ON CONFLICT (id) DO UPDATE SET bucket_seconds = excluded.bucket_seconds"""
        ),
        width,
    )
    if made_with is not None:
        session.execute(text("DELETE FROM rollups"))
        session.execute(
            text(
                """INSERT INTO touched_buckets (machine_id, bucket_start)
                SELECT DISTINCT machine_id, date_bin(make_interval(secs => :width), measured_at, 'epoch')
                FROM readings"""
            ),
            width,
        )
