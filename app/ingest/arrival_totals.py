"""Rows of `arrivals` folded into hourly totals, and hours too old to be kept apart summed up: nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import Bind, session_scope
from app.ingest.arrival_tables import BEFORE
from app.ingest.arrivals import NO_LARGEST_S, NO_LEAST_S
from app.settings import Settings

FOLD_LOCK = 7_392_841_341
# About a second of work.
MOST_FOLDED = 5_000
SUMMED = ("accepted", "duplicates", "merged", "conflicts", "late")

# What rows of `{source}` say, an entry a row; arrays that are NULL count nothing.
ARRIVED = f"""
    SELECT senders[g.sender] AS sender, g.machine_id, date_trunc('hour', received_at, 'UTC') AS hour,
        {", ".join(f"coalesce(g.{name}, 0)::bigint AS {name}" for name in SUMMED)},
        nullif(g.least_lag_s, {NO_LEAST_S}) AS least_lag_s,
        nullif(g.largest_lag_s, {NO_LARGEST_S}) AS largest_lag_s, received_at AS last_received_at
    FROM {{source}} AS a CROSS JOIN LATERAL unnest(
        a.sender, a.machine_id, a.accepted, a.duplicates, a.merged, a.conflicts, a.late,
        a.least_lag_s, a.largest_lag_s
    ) AS g (sender, machine_id, accepted, duplicates, merged, conflicts, late, least_lag_s, largest_lag_s)
"""  # noqa: S608  (names of our own)
REFUSED = """
    SELECT senders[g.sender] AS sender, g.machine_id, g.kind, date_trunc('hour', received_at, 'UTC') AS hour,
        g.refused::bigint AS refused, received_at AS last_received_at
    FROM {source} AS a CROSS JOIN LATERAL unnest(
        a.refused_sender, a.refused_machine_id, a.refused_kind, a.refused
    ) AS g (sender, machine_id, kind, refused)
"""
ADD_ARRIVED = f"""
    INSERT INTO arrival_totals AS t (sender, machine_id, hour, {", ".join(SUMMED)},
        least_lag_s, largest_lag_s, last_received_at)
    SELECT sender, machine_id, hour, {", ".join(f"sum({name})" for name in SUMMED)},
        min(least_lag_s), max(largest_lag_s), max(last_received_at)
    FROM ({{arrived}}) AS arrived GROUP BY 1, 2, 3
    ON CONFLICT (sender, machine_id, hour) DO UPDATE SET
        {", ".join(f"{name} = t.{name} + excluded.{name}" for name in SUMMED)},
        least_lag_s = least(t.least_lag_s, excluded.least_lag_s),
        largest_lag_s = greatest(t.largest_lag_s, excluded.largest_lag_s),
        last_received_at = greatest(t.last_received_at, excluded.last_received_at)
"""  # noqa: S608
ADD_REFUSED = """
    INSERT INTO refusal_totals AS t (sender, machine_id, kind, hour, refused, last_received_at)
    SELECT sender, machine_id, kind, hour, sum(refused), max(last_received_at)
    FROM ({refused}) AS refused GROUP BY 1, 2, 3, 4
    ON CONFLICT (sender, machine_id, kind, hour) DO UPDATE SET
        refused = t.refused + excluded.refused,
        last_received_at = greatest(t.last_received_at, excluded.last_received_at)
"""
FOLD = text(
    f"""
    WITH gone AS (
        DELETE FROM arrivals
        WHERE id <= (SELECT max(id) FROM (SELECT id FROM arrivals ORDER BY id LIMIT :limit) AS oldest)
        RETURNING *
    ),
    stored AS ({ADD_ARRIVED.format(arrived=ARRIVED.format(source="gone"))}),
    refused AS ({ADD_REFUSED.format(refused=REFUSED.format(source="gone"))})
    SELECT count(*) FROM gone
    """  # noqa: S608
)


OLD = "DELETE FROM {table} WHERE hour < :until AND hour > :before RETURNING *"
OLD_ARRIVED = f"""
    SELECT sender, machine_id, CAST(:before AS timestamptz) AS hour, {", ".join(SUMMED)},
        least_lag_s, largest_lag_s, last_received_at FROM old
"""  # noqa: S608
OLD_REFUSED = (
    "SELECT sender, machine_id, kind, CAST(:before AS timestamptz) AS hour, refused, last_received_at FROM old"
)
SUM_UP = tuple(
    text(f"WITH old AS ({OLD.format(table=table)}) {add}")
    for table, add in (
        ("arrival_totals", ADD_ARRIVED.format(arrived=OLD_ARRIVED)),
        ("refusal_totals", ADD_REFUSED.format(refused=OLD_REFUSED)),
    )
)


def fold_all_arrivals(bind: Bind, settings: Settings, now: datetime) -> None:
    """Until no commit is left, one transaction a step."""
    folded = MOST_FOLDED
    while folded == MOST_FOLDED:
        with session_scope(bind) as session:
            folded = fold_arrivals(session, now, settings.arrivals_kept)


def fold_arrivals(session: Session, now: datetime, kept: timedelta, limit: int = MOST_FOLDED) -> int:
    """Fold up to `limit` commits, sum up hours older than `kept`; how many commits were folded."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FOLD_LOCK})
    for statement in SUM_UP:
        session.execute(statement, {"before": BEFORE, "until": now - kept})
    return session.scalar(FOLD, {"limit": limit}) or 0
