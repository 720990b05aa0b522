"""What a roll-up says, in SQL: readings of the buckets in `taken` go into `touched`, and are summed up from there.

Aggregates run in the order of measured_at, so that the order of arrival changes no digit; PostgreSQL sorts once for
all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from app.ingest.tables import CORE_CHANNELS
from app.settings import Settings

# A channel is a column of the learner's tables; beyond this a sender makes names up, and new ones stay raw.
MOST_CHANNELS = 5_000
# From so many readings a minute on, the minutes of a bucket are kept too, for charts; below, readings are as quick.
DENSE_READINGS_A_MINUTE = 4
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
# Of open buckets too: one may end while this is being written.
LOGGED = text(
    "INSERT INTO rollup_changes (machine_id, since) SELECT machine_id, min(bucket_start) FROM taken GROUP BY 1"
)


def dense_from(settings: Settings) -> int | None:
    """From so many readings on the minutes of a bucket are kept; None where its width makes no use of them."""
    if settings.bucket_seconds <= MINUTE_SECONDS or settings.bucket_seconds % MINUTE_SECONDS:
        return None
    return DENSE_READINGS_A_MINUTE * settings.bucket_seconds // MINUTE_SECONDS
