"""A machine's readings as a chart wants them: at most so many points a channel, their extremes kept.

Few readings are returned as they are. Of many, the coarsest level answers that still has about the points asked
for: roll-ups, the minutes of dense buckets, or readings binned. What no level covers yet, the newest bucket above
all, is read from the readings; what comes late into an earlier bucket is seen as soon as that is rolled up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import BadInput, NotFound
from app.ingest.chart_parts import (
    MINUTE_US,
    Gaps,
    Parts,
    from_minutes,
    from_readings,
    from_rollups,
    rolled_up_to,
)
from app.ingest.columns import EPOCH, MICROSECOND, Ints, to_time
from app.ingest.envelope import SECOND_US, Grid, Points, as_json, joined, thinned
from app.ingest.latest import latest_readings
from app.ingest.summing import dense_from
from app.settings import Settings

DEFAULT_SPAN = timedelta(days=7)
# A level answers from this share of the points asked for; finer ones cost more than their points are worth.
LEAST_SHARE_OF_POINTS = 0.5
FIRST_TIME = datetime(1900, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2200, 1, 1, tzinfo=UTC)

FIND = text("SELECT id FROM machines WHERE key = :key")
COUNT = text(
    """SELECT count(*) FROM (
        SELECT FROM readings_between(:machine_id, :start, :end) LIMIT :most
    ) AS counted"""
)
KEPT_FROM = text("SELECT at FROM kept_from WHERE what = :what")


class Window(NamedTuple):
    machine_id: int
    start: datetime
    end: datetime


class Level(NamedTuple):
    """What a chart is made of, and the bins its points fall into."""

    source: str
    grid: Grid


def window(session: Session, key: str, start: datetime | None, end: datetime | None) -> Window:
    """What is asked for; by default the week up to the newest reading. Raises NotFound, BadInput."""
    machine_id = session.scalar(FIND, {"key": key}) if key.isprintable() else None
    if machine_id is None:
        raise NotFound(f"There is no machine {key[:100]!r}.")
    if end is None:
        newest = latest_readings(session, [machine_id]).get(machine_id) if start is None else None
        end = newest.measured_at + MICROSECOND if newest else datetime.now(UTC)
    end = min(max(end, FIRST_TIME + DEFAULT_SPAN), LAST_TIME)
    start = end - DEFAULT_SPAN if start is None else min(max(start, FIRST_TIME), LAST_TIME)
    if start >= end:
        raise BadInput("`from` must lie before `to`.")
    return Window(machine_id, start.astimezone(UTC), end.astimezone(UTC))


def machine_readings(session: Session, settings: Settings, key: str, asked: Window, max_points: int) -> bytes:
    """MachineReadings as JSON."""
    kept_from = session.scalar(KEPT_FROM, {"what": "readings"}) or FIRST_TIME
    rows = session.scalar(COUNT, {**asked._asdict(), "most": max_points + 1}) or 0
    few = rows <= max_points and asked.start >= kept_from
    level = Level("raw", Grid(0, 1)) if few else _level(settings, asked, max_points)
    start_us = _us(asked.start)
    channels = {}
    for channel, parts in _by_channel(_parts(session, settings, asked, level, kept_from)).items():
        points = thinned(joined(parts), level.grid)
        channels[channel] = points._replace(t_us=np.maximum(points.t_us, start_us))
    return as_json(key, start_us, _us(asked.end), level.source, channels)


def _level(settings: Settings, asked: Window, max_points: int) -> Level:
    start_us, end_us = _us(asked.start), _us(asked.end)
    coarser = {"rollups": settings.bucket_seconds * SECOND_US}
    if dense_from(settings):
        coarser["minutes"] = MINUTE_US
    for source, width_us in coarser.items():
        if (end_us - start_us) / width_us >= LEAST_SHARE_OF_POINTS * max_points:
            origin_us = start_us // width_us * width_us
            return Level(source, Grid(origin_us, width_us * -(-(end_us - origin_us) // (width_us * max_points))))
    return Level("binned", Grid(start_us, -(-(end_us - start_us) // max_points)))


def _parts(
    session: Session, settings: Settings, asked: Window, level: Level, kept_from: datetime
) -> Iterable[Parts]:
    """What the level covers, and the readings of what it does not."""
    width_us = settings.bucket_seconds * SECOND_US
    inner = _rolled_up(session, asked, width_us)
    if level.source == "rollups":
        yield from_rollups(session, *inner)
        gaps = _not_empty([(asked.start, inner.start), (inner.end, asked.end)])
    else:
        minutes = from_minutes(session, *inner) if level.source == "minutes" else {}
        yield minutes
        covered = _buckets(minutes, width_us)
        gaps = _between(asked, covered, width_us)
        if asked.start < kept_from:
            old = from_rollups(session, *inner._replace(end=min(inner.end, kept_from)))
            yield {key: points.take(~np.isin(points.t_us, covered)) for key, points in old.items()}
    if gaps:
        yield from_readings(session, asked.machine_id, gaps, level.grid)


def _rolled_up(session: Session, asked: Window, width_us: int) -> Window:
    """The part of the window filled by whole buckets before the newest rolled-up one; empty where there is none.

    A sensor whose clock runs ahead does not settle the bucket under way. Roll-ups may go before readings.
    """
    since = max(asked.start, session.scalar(KEPT_FROM, {"what": "rollups"}) or FIRST_TIME)
    first = -(-_us(since) // width_us) * width_us
    newest = rolled_up_to(session, asked.machine_id)
    known_until = min(asked.end, datetime.now(UTC))
    settled = min(_us(newest), _us(known_until) // width_us * width_us) if newest else first
    if settled <= first:
        return asked._replace(end=asked.start)
    return asked._replace(start=to_time(first), end=to_time(settled))


def _buckets(parts: Parts, width_us: int) -> Ints:
    times = [points.t_us // width_us * width_us for points in parts.values()]
    return np.unique(np.concatenate(times)) if times else np.empty(0, dtype=np.int64)


def _between(asked: Window, covered: Ints, width_us: int) -> Gaps:
    """The stretches of the window that no covered bucket fills."""
    since = [asked.start, *map(to_time, (covered + width_us).tolist())]
    until = [*map(to_time, covered.tolist()), asked.end]
    return _not_empty(list(zip(since, until, strict=True)))


def _not_empty(gaps: Gaps) -> Gaps:
    return [(since, until) for since, until in gaps if since < until]


def _by_channel(parts: Iterable[Parts]) -> dict[str, list[Points]]:
    found: dict[str, list[Points]] = {}
    for part in parts:
        for channel, points in part.items():
            found.setdefault(channel, []).append(points)
    return found


def _us(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND
