"""A machine's readings as a chart wants them: at most so many points a channel, their extremes kept.

Few readings are returned as they are; many over a short time are binned; over a long time the roll-ups answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.errors import BadInput, NotFound
from app.ingest.schemas import ChannelSeries, MachineReadings
from app.ingest.tables import CORE_CHANNELS
from app.settings import Settings

DEFAULT_SPAN = timedelta(days=7)
# Binning so many raw rows takes about 0.1 s; above it the roll-ups answer, coarse as they may be.
MOST_ROWS_BINNED = 100_000
# A chart with fewer points than this shows steps where there were none.
FEWEST_POINTS = 200
FIRST_TIME = datetime(1900, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2200, 1, 1, tzinfo=UTC)

FIND = text("SELECT id FROM machines WHERE key = :key")
NEWEST = text("SELECT max(measured_at) FROM readings WHERE machine_id = :machine_id AND measured_at <= now()")
COUNT = text(
    """SELECT count(*) FROM (SELECT FROM readings WHERE machine_id = :machine_id
        AND measured_at >= :start AND measured_at < :end LIMIT :most) AS counted"""
)
MEASURED = f"""
    SELECT measured_at AS t, channel, value FROM readings
    CROSS JOIN LATERAL (
        SELECT key AS channel, value::float8 AS value FROM jsonb_each(extra)
        UNION ALL VALUES {", ".join(f"('{channel}', {channel})" for channel in CORE_CHANNELS)}
    ) AS measured
    WHERE machine_id = :machine_id AND measured_at >= :start AND measured_at < :end AND value IS NOT NULL
"""  # noqa: S608  (column names of our own)
RAW = text(
    f"SELECT channel, t, value AS mean, value AS min, value AS max FROM ({MEASURED}) AS raw ORDER BY t"  # noqa: S608
)
BINNED = text(
    f"""SELECT channel, date_bin(make_interval(secs => :step), t, :start) AS bin, avg(value), min(value), max(value)
    FROM ({MEASURED}) AS raw GROUP BY channel, bin ORDER BY bin"""  # noqa: S608
)
ROLLUPS = text(
    """SELECT channels.key, date_bin(make_interval(secs => :step), bucket_start, 'epoch') AS bin,
        sum(mean * n) / sum(n), min(min), max(max)
    FROM rollups JOIN channels ON channels.id = rollups.channel_id
    WHERE machine_id = :machine_id AND bucket_start >= :start AND bucket_start < :end
    GROUP BY channels.key, bin ORDER BY bin"""
)


class Window(NamedTuple):
    machine_id: int
    start: datetime
    end: datetime


def window(session: Session, key: str, start: datetime | None, end: datetime | None) -> Window:
    """What is asked for; by default the week up to the newest reading. Raises NotFound, BadInput."""
    machine_id = session.scalar(FIND, {"key": key}) if key.isprintable() else None
    if machine_id is None:
        raise NotFound(f"There is no machine {key[:100]!r}.")
    if end is None:
        newest = session.scalar(NEWEST, {"machine_id": machine_id})
        end = newest + timedelta(microseconds=1) if newest and start is None else datetime.now(UTC)
    end = min(max(end, FIRST_TIME + DEFAULT_SPAN), LAST_TIME)
    start = end - DEFAULT_SPAN if start is None else min(max(start, FIRST_TIME), LAST_TIME)
    if start >= end:
        raise BadInput("`from` must lie before `to`.")
    return Window(machine_id, start.astimezone(UTC), end.astimezone(UTC))


def machine_readings(
    session: Session, settings: Settings, key: str, asked: Window, max_points: int
) -> MachineReadings:
    span = (asked.end - asked.start).total_seconds()
    rows = session.scalar(COUNT, {**asked._asdict(), "most": MOST_ROWS_BINNED + 1}) or 0
    buckets = span / settings.bucket_seconds
    if rows <= max_points:
        source, found = "raw", session.execute(RAW, asked._asdict())
    elif rows <= MOST_ROWS_BINNED and buckets < min(FEWEST_POINTS, max_points):
        source, found = "binned", session.execute(BINNED, {**asked._asdict(), "step": span / max_points})
    else:
        # One more bin than bins fit: the first and the last may be cut by the window.
        together = -(-(buckets + 2) // max_points)
        step = together * settings.bucket_seconds
        source, found = "rollups", session.execute(ROLLUPS, {**asked._asdict(), "step": step})
    channels = _series(found)
    return MachineReadings.model_validate(
        {"machine": key, "from": asked.start, "to": asked.end, "source": source, "channels": channels}
    )


def _series(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[str, ChannelSeries]:
    columns: dict[str, ChannelSeries] = {}
    for channel, t, mean, low, high in rows:
        series = columns.get(channel)
        if series is None:
            series = columns[channel] = ChannelSeries(t=[], mean=[], min=[], max=[])
        series.t.append(t)
        series.mean.append(mean)
        series.min.append(low)
        series.max.append(high)
    return columns
