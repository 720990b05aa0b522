"""Marks: every commit notes the buckets it touched; roll-ups take the marks and compute exactly those buckets.

Append-only for writers, so that they never wait for each other: a busy bucket is marked at every commit.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.columns import MICROSECONDS, Ints
from app.ingest.sorting import same_as_before
from app.settings import Settings

# Later than any mark.
ANY = 2**62
COMPACT = text(
    """
    WITH gone AS (DELETE FROM touched_buckets RETURNING machine_id, bucket_start)
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT DISTINCT machine_id, date_bin(make_interval(secs => :width), bucket_start, 'epoch') AS bucket_start
    FROM gone ORDER BY machine_id, bucket_start
    """
)
TAKE = text(
    """
    CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
    WITH gone AS (
        DELETE FROM touched_buckets WHERE id = ANY (ARRAY(
            SELECT id FROM touched_buckets WHERE bucket_start < :until AND id <= :last ORDER BY id LIMIT :limit
        ))
        RETURNING machine_id, bucket_start
    )
    SELECT DISTINCT machine_id, date_bin(make_interval(secs => :width), bucket_start, 'epoch') AS bucket_start
    FROM gone ORDER BY machine_id, bucket_start
    """
)
COUNT = text("SELECT count(*) FROM touched_buckets WHERE bucket_start < :until")
# In the order of time, so that what is newer than a machine's newest roll-up is what charts read themselves.
MARK_ALL = text(
    """
    INSERT INTO touched_buckets (machine_id, bucket_start)
    SELECT DISTINCT machine_id, date_bin(make_interval(secs => :width), measured_at, 'epoch') AS bucket_start
    FROM every_reading ORDER BY machine_id, bucket_start
    """
)


def touched(machine_ids: Ints, measured_us: Ints, bucket_seconds: int) -> tuple[Ints, Ints]:
    """Machines and starts, in microseconds, of the buckets of rows in the order of their key; each once. Pure."""
    start_us = measured_us - measured_us % (bucket_seconds * MICROSECONDS)
    first = ~same_as_before(machine_ids, start_us)
    return machine_ids[first], start_us[first]


def compact(session: Session, settings: Settings) -> None:
    """One mark a bucket, or a step would compute again what the step before it did."""
    session.execute(COMPACT, {"width": settings.bucket_seconds})


def waiting(session: Session, until: datetime | None) -> int:
    """How many marks there are of buckets that begin before `until`."""
    return session.scalar(COUNT, {"until": until or "infinity"}) or 0


def newest(session: Session) -> int:
    """The number of the newest mark; who goes no further ends, however many come meanwhile."""
    return session.scalar(text("SELECT max(id) FROM touched_buckets")) or 0


def take(session: Session, settings: Settings, limit: int, until: datetime | None, last: int) -> int:
    """Move up to `limit` marks, up to the `last`, of buckets that begin before `until` into the table `taken`.

    How many buckets.
    """
    given = {"width": settings.bucket_seconds, "until": until or "infinity", "last": last, "limit": limit}
    session.execute(TAKE, given)
    session.execute(text("ANALYZE taken"))
    return session.scalar(text("SELECT count(*) FROM taken")) or 0


def mark_all(session: Session, settings: Settings) -> None:
    session.execute(MARK_ALL, {"width": settings.bucket_seconds})
