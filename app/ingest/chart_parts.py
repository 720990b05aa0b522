"""Where the points of a chart lie: readings, minutes of dense buckets, roll-ups. All come as packed columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.arrays import POSTGRES_EPOCH_US
from app.ingest.columns import Floats, Ints, to_time
from app.ingest.envelope import Grid, Points
from app.ingest.tables import CORE_CHANNELS

MINUTE_US = 60_000_000
Parts = dict[str, Points]
Gaps = list[tuple[datetime, datetime]]

ROLLED_UP_TO = text(
    """
    SELECT max(newest.bucket_start) FROM channels CROSS JOIN LATERAL (
        SELECT bucket_start FROM rollups WHERE machine_id = :machine_id AND channel_id = channels.id
        ORDER BY bucket_start DESC LIMIT 1
    ) AS newest
    """
)
ROLLUPS = text(
    """
    SELECT channels.key, string_agg(timestamptz_send(bucket_start), ''), string_agg(float8send(n), ''),
        string_agg(float8send(mean), ''), string_agg(float8send(min), ''), string_agg(float8send(max), '')
    FROM rollups JOIN channels ON channels.id = rollups.channel_id
    WHERE machine_id = :machine_id AND bucket_start >= :since AND bucket_start < :until
    GROUP BY channels.key
    """
)
MINUTES = text(
    """
    SELECT channels.key, string_agg(minute, ''), string_agg(n, ''),
        string_agg(mean, ''), string_agg(min, ''), string_agg(max, '')
    FROM rollup_minutes JOIN channels ON channels.id = rollup_minutes.channel_id
    WHERE machine_id = :machine_id AND bucket_start >= :since AND bucket_start < :until
    GROUP BY channels.key
    """
)
IN_GAPS = """
    FROM unnest(CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[])) AS gap (since, until)
    CROSS JOIN LATERAL readings_between(:machine_id, gap.since, gap.until)
"""
BIN = "date_bin(make_interval(secs => :step), measured_at, :origin) AS bin"


def _spread(value: str, name: str) -> str:
    return f"""count({value}) AS n_{name}, avg({value} ORDER BY measured_at) AS mean_{name},
        min({value}) AS min_{name}, max({value}) AS max_{name}"""


def _packed(name: str) -> str:
    columns = ", ".join(
        f"string_agg(float8send(coalesce({each}_{name}, 0)), '' ORDER BY bin)"
        for each in ("n", "mean", "min", "max")
    )
    return f"string_agg(timestamptz_send(bin), '' ORDER BY bin), {columns}"


BINNED = text(
    f"""
    SELECT {", ".join(map(_packed, CORE_CHANNELS))}, sum(with_extra)
    FROM (
        SELECT {BIN}, {", ".join(_spread(channel, channel) for channel in CORE_CHANNELS)},
            count(extra) AS with_extra
        {IN_GAPS} GROUP BY bin
    ) AS binned
    """  # noqa: S608  (text of our own)
)
BINNED_EXTRA = text(
    f"""
    SELECT key, {_packed("each")}
    FROM (
        SELECT key, {BIN}, {_spread("value::float8", "each")}
        {IN_GAPS} CROSS JOIN LATERAL jsonb_each(extra) WHERE extra IS NOT NULL GROUP BY key, bin
    ) AS binned GROUP BY key
    """  # noqa: S608
)


def rolled_up_to(session: Session, machine_id: int) -> datetime | None:
    """The begin of the machine's newest rolled-up bucket: that one may still grow, earlier ones are settled."""
    newest: datetime | None = session.scalar(ROLLED_UP_TO, {"machine_id": machine_id})
    return newest


def from_rollups(session: Session, machine_id: int, since: datetime, until: datetime) -> Parts:
    rows = session.execute(ROLLUPS, {"machine_id": machine_id, "since": since, "until": until})
    return {row[0]: _points(row[1:]) for row in rows}


def from_minutes(session: Session, machine_id: int, since: datetime, until: datetime) -> Parts:
    rows = session.execute(MINUTES, {"machine_id": machine_id, "since": since, "until": until})
    return {
        key: Points(_int4s(minute) * MINUTE_US, _int4s(n).astype(np.float64), *map(_float8s, columns))
        for key, minute, n, *columns in rows
    }


def from_readings(session: Session, machine_id: int, gaps: Gaps, grid: Grid) -> Parts:
    """Read and binned by the database, so that memory stays bounded however many readings there are."""
    given = {
        "machine_id": machine_id,
        "since": [since for since, _ in gaps],
        "until": [until for _, until in gaps],
        "step": grid.step_us / 1_000_000,
        "origin": to_time(grid.origin_us),
    }
    *packed, with_extra = session.execute(BINNED, given).one()
    rows: Iterable[Any] = zip(CORE_CHANNELS, *(packed[number::5] for number in range(5)), strict=True)
    if with_extra:
        rows = [*rows, *session.execute(BINNED_EXTRA, given)]
    parts = {key: _points(columns) for key, *columns in rows if columns[0]}
    return {key: points for key, points in parts.items() if len(points.t_us)}


def _points(columns: Iterable[bytes]) -> Points:
    t_us, *figures = columns
    times: Ints = np.frombuffer(t_us, ">i8").astype(np.int64) + POSTGRES_EPOCH_US
    points = Points(times, *map(_float8s, figures))
    return points.take(points.n > 0)


def _int4s(column: bytes) -> Ints:
    return np.frombuffer(column, ">i4").astype(np.int64)


def _float8s(column: bytes) -> Floats:
    return np.frombuffer(column, ">f8").astype(np.float64)
