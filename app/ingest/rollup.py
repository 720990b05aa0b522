"""Roll-ups kept exact: every touched bucket is computed again from its readings, and no other is looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.announce import announce
from app.database import Bind, session_scope
from app.ingest import marks
from app.ingest.latest import note_latest
from app.ingest.quality import flag_touched
from app.ingest.retention import refuse_new_width, spare_dropped
from app.ingest.summing import CHANGED, LOGGED, LOOK_UP, NEW_CHANNELS, WRITE, WRITE_MINUTES, dense_from
from app.ingest.tables import RollupState
from app.settings import Settings

ROLLUP_LOCK = 7_392_841_339
# Sorting one step's readings in memory instead of on disk.
WORK_MEMORY = "128MB"
# So many readings a step, were there one a second: a few hundred MB of temporary table. Smaller steps cost a plant
# that sends once in ten minutes twice the time, larger ones no less.
MOST_SECONDS_A_STEP = 4_000_000
FEWEST_BUCKETS_A_STEP, MOST_BUCKETS_A_STEP = 100, 20_000
SHORTEST_OPEN_WAIT, OPEN_WAIT_SHARE = timedelta(seconds=30), 0.25


def roll_up_all(
    bind: Bind,
    settings: Settings,
    progress: Callable[[float], None] | None = None,
    until: datetime | None = None,
) -> int:
    """Roll up every bucket marked by now that begins before `until`, a transaction a step; how many buckets."""
    limit = min(max(MOST_SECONDS_A_STEP // settings.bucket_seconds, FEWEST_BUCKETS_A_STEP), MOST_BUCKETS_A_STEP)
    with session_scope(bind) as session:
        ensure_bucket_width(session, settings)
        if marks.waiting(session, None) > limit:
            marks.compact(session, settings)
        waiting, last = marks.waiting(session, until), marks.newest(session)
    done = 0
    while True:
        with session_scope(bind) as session:
            step = roll_up_touched(session, settings, limit, until, last)
        done += step
        if progress:
            progress(min(done / waiting, 1.0) if step and waiting else 1.0)
        if not step:
            return done


def roll_up_open(bind: Bind, settings: Settings, now: datetime, open_since: datetime) -> int:
    """Roll up everything, also buckets that still grow; the longer one has grown, the longer it waits.

    So a bucket costs a few times its readings, not their square; charts read what is newer themselves.
    """
    with session_scope(bind) as session:
        last = session.scalar(text("SELECT open_rolled_up_at FROM rollup_state"))
        if last and now - last < max(SHORTEST_OPEN_WAIT, OPEN_WAIT_SHARE * (now - open_since)):
            return 0
        session.execute(text("UPDATE rollup_state SET open_rolled_up_at = :now"), {"now": now})
    return roll_up_all(bind, settings)


def roll_up_touched(
    session: Session,
    settings: Settings,
    limit: int,
    until: datetime | None = None,
    last: int = marks.ANY,
) -> int:
    """Take up to `limit` marks up to the `last`, write their buckets' roll-ups; how many; 0 when none is left.

    Marks and roll-ups change in one transaction; one worker at a time, the others wait.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLLUP_LOCK})
    session.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
    session.execute(text("DROP TABLE IF EXISTS pg_temp.taken, pg_temp.touched"))
    taken = marks.take(session, settings, limit, until, last)
    if taken:
        width = {"width": settings.bucket_seconds}
        spare_dropped(session)
        session.execute(LOOK_UP, width)
        note_latest(session)
        session.execute(NEW_CHANNELS)
        session.execute(WRITE)
        flag_touched(session, settings)
        if dense := dense_from(settings):
            session.execute(WRITE_MINUTES, {"dense": dense})
        session.execute(CHANGED, width)
        session.execute(LOGGED)
        announce(session, "reading")
    return taken


def forget_changes(session: Session, before: datetime) -> None:
    """Of the log of roll-ups written; who has read nothing since then reads everything anew."""
    session.execute(text("DELETE FROM rollup_changes WHERE written_at < :before"), {"before": before})


def ensure_bucket_width(session: Session, settings: Settings) -> None:
    """Where the roll-ups were made with another width, drop them and mark every bucket of the new one."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLLUP_LOCK})
    made_with = bucket_width(session)
    if made_with == settings.bucket_seconds:
        return
    if made_with is not None:
        refuse_new_width(session, made_with, settings.bucket_seconds)
    session.execute(
        text(
            """INSERT INTO rollup_state (id, bucket_seconds) VALUES (1, :width)
            ON CONFLICT (id) DO UPDATE SET bucket_seconds = excluded.bucket_seconds"""
        ),
        {"width": settings.bucket_seconds},
    )
    if made_with is not None:
        session.execute(text("DELETE FROM rollups"))
        session.execute(text("DELETE FROM rollup_minutes"))
        session.execute(text("DELETE FROM reading_flags"))
        marks.mark_all(session, settings)


def bucket_width(session: Session) -> int | None:
    """The seconds of a bucket that the roll-ups were made with; None before the first."""
    return session.scalar(select(RollupState.bucket_seconds))
