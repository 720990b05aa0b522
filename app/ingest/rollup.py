"""Roll-ups kept exact: every touched bucket is computed again from its readings, and no other is looked at.

Aggregates run in the order of measured_at, so that the order of arrival changes no digit; PostgreSQL sorts once for
all of them.
"""

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
from app.ingest.tables import CORE_CHANNELS, RollupState
from app.settings import Settings

ROLLUP_LOCK = 7_392_841_339
# Sorting one step's readings in memory instead of on disk.
WORK_MEMORY = "128MB"
# So many readings a step, were there one a second.
MOST_SECONDS_A_STEP = 1_000_000
FEWEST_BUCKETS_A_STEP, MOST_BUCKETS_A_STEP = 100, 20_000
# A channel is a column of the learner's tables; beyond this a sender makes names up, and new ones stay raw.
MOST_CHANNELS = 5_000
# From so many readings a minute on, the minutes of a bucket are kept too, for charts; below, readings are as quick.
DENSE_READINGS_A_MINUTE = 4
SHORTEST_OPEN_WAIT, OPEN_WAIT_SHARE = timedelta(seconds=30), 0.25
MINUTE_SECONDS = 60

# Bucket by bucket through the index: a join would be free to read the whole history.
LOOK_UP = text(
    f"""
    CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
    SELECT taken.machine_id, taken.bucket_start, date_bin('1 minute', measured_at, 'epoch') AS minute,
        in_bucket, measured_at, {", ".join(CORE_CHANNELS)}, extra
    FROM taken CROSS JOIN LATERAL (
        SELECT *, count(*) OVER () AS in_bucket FROM readings_between(
            taken.machine_id, taken.bucket_start, taken.bucket_start + make_interval(secs => :width)
        ) ORDER BY measured_at
    ) AS r
    """  # noqa: S608  (text of our own)
)
NEW_CHANNELS = text(
    f"""
    INSERT INTO channels (key)
    SELECT key FROM (SELECT DISTINCT jsonb_object_keys(extra) AS key FROM touched WHERE extra IS NOT NULL) AS seen
    WHERE NOT EXISTS (SELECT FROM channels WHERE channels.key = seen.key)
    ORDER BY key LIMIT greatest(0, {MOST_CHANNELS} - (SELECT count(*) FROM channels))
    ON CONFLICT DO NOTHING
    """  # noqa: S608  (text of our own)
)


SPREAD = ("n", "mean", "min", "max")
FIGURES = (*SPREAD, "std", "last")


def _spread(value: str) -> str:
    """In the order of SPREAD; rounding must not carry a mean beyond the extremes."""
    mean = f"greatest(min({value}), least(max({value}), avg({value} ORDER BY measured_at)))"
    return f"count({value}), {mean}, min({value}), max({value})"


def _figures(value: str) -> str:
    last = f"array_agg({value} ORDER BY measured_at) FILTER (WHERE {value} IS NOT NULL)"
    return f"{_spread(value)}, stddev_pop({value} ORDER BY measured_at), ({last})[count({value})]"


def _by_channel(group: str, names: tuple[str, ...], computed: Callable[[str], str], where: str = "true") -> str:
    """The named channels stand side by side: summed up in one pass, then put below each other, `extra` beneath."""
    numbered = [[f"{name}_{number}" for name in names] for number in range(1, len(CORE_CHANNELS) + 1)]
    below = ", ".join(f"({number}::smallint, {', '.join(each)})" for number, each in enumerate(numbered, start=1))
    return f"""
        SELECT {group}, each.* FROM (
            SELECT {group}, {", ".join(map(computed, CORE_CHANNELS))} FROM touched WHERE {where} GROUP BY {group}
        ) AS wide ({group}, {", ".join(name for each in numbered for name in each)})
        CROSS JOIN LATERAL (VALUES {below}) AS each (channel_id, {", ".join(names)}) WHERE n > 0
        UNION ALL
        SELECT {group}, channels.id, {computed("each.value::float8")}
        FROM touched CROSS JOIN LATERAL jsonb_each(extra) AS each JOIN channels ON channels.key = each.key
        WHERE extra IS NOT NULL AND {where} GROUP BY {group}, channels.id
    """  # noqa: S608  (text of our own)


def _overwrite(names: tuple[str, ...]) -> str:
    new = ", ".join(f"{name} = excluded.{name}" for name in names)
    return f"ON CONFLICT (machine_id, channel_id, bucket_start) DO UPDATE SET {new}"


WRITE = text(
    f"""
    INSERT INTO rollups (machine_id, bucket_start, channel_id, {", ".join(FIGURES)})
    {_by_channel("machine_id, bucket_start", FIGURES, _figures)}
    {_overwrite(FIGURES)}
    """
)
WRITE_MINUTES = text(
    f"""
    INSERT INTO rollup_minutes (machine_id, bucket_start, channel_id, minute, {", ".join(SPREAD)})
    SELECT machine_id, bucket_start, channel_id,
        string_agg(int4send((extract(epoch FROM minute) / 60)::int), '' ORDER BY minute),
        string_agg(int4send(n::int), '' ORDER BY minute),
        {", ".join(f"string_agg(float8send({name}), '' ORDER BY minute)" for name in SPREAD[1:])}
    FROM ({_by_channel("machine_id, bucket_start, minute", SPREAD, _spread, "in_bucket >= :dense")}) AS minutes
    GROUP BY machine_id, bucket_start, channel_id
    {_overwrite(("minute", *SPREAD))}
    """  # noqa: S608
)
CHANGED = text(
    """
    UPDATE rollup_state SET changes = changes + 1
    WHERE EXISTS (SELECT FROM taken WHERE bucket_start + make_interval(secs => :width) <= now())
    """
)


def dense_from(settings: Settings) -> int | None:
    """From so many readings on the minutes of a bucket are kept; None where its width makes no use of them."""
    if settings.bucket_seconds <= MINUTE_SECONDS or settings.bucket_seconds % MINUTE_SECONDS:
        return None
    return DENSE_READINGS_A_MINUTE * settings.bucket_seconds // MINUTE_SECONDS


def roll_up_all(
    bind: Bind,
    settings: Settings,
    progress: Callable[[float], None] | None = None,
    until: datetime | None = None,
) -> int:
    """Roll up every marked bucket that begins before `until`, a transaction a step; how many buckets."""
    limit = min(max(MOST_SECONDS_A_STEP // settings.bucket_seconds, FEWEST_BUCKETS_A_STEP), MOST_BUCKETS_A_STEP)
    with session_scope(bind) as session:
        ensure_bucket_width(session, settings)
        if marks.waiting(session, None) > limit:
            marks.compact(session, settings)
        waiting = marks.waiting(session, until)
    done = 0
    while True:
        with session_scope(bind) as session:
            step = roll_up_touched(session, settings, limit, until)
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


def roll_up_touched(session: Session, settings: Settings, limit: int, until: datetime | None = None) -> int:
    """Take up to `limit` marks and write the roll-ups of their buckets; how many buckets; 0 when no mark is left.

    Marks and roll-ups change in one transaction; one worker at a time, the others wait.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLLUP_LOCK})
    session.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
    session.execute(text("DROP TABLE IF EXISTS pg_temp.taken, pg_temp.touched"))
    taken = marks.take(session, settings, until, limit)
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
        announce(session, "reading")
    return taken


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
