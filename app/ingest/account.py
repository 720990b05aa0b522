"""Reads who sent what: the hourly totals and the commits that are not folded into them yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.arrival_tables import BEFORE
from app.ingest.arrival_totals import ARRIVED, REFUSED, SUMMED
from app.ingest.clock_rule import clock_doubt
from app.ingest.data_schemas import AccountOut, AccountPage

By = Literal["sender", "machine", "sender and machine"]
# Without a worker commits pile up; the oldest of them are counted, and the answer says up to when.
MOST_UNFOLDED = 20_000
CLOCK_WINDOW = timedelta(hours=24)

UNFOLDED = f"(SELECT * FROM arrivals ORDER BY id LIMIT {MOST_UNFOLDED})"  # noqa: S608
WHERE = """hour >= CAST(:since AS timestamptz) AND (CAST(:sender AS text) IS NULL OR sender = :sender)
        AND (CAST(:machine_id AS int) IS NULL OR machine_id = :machine_id)"""
TOTALS = ("sender", "machine_id", "hour", *SUMMED, "least_lag_s", "largest_lag_s", "last_received_at")
EVERY_ARRIVAL = f"""(
    SELECT {", ".join(TOTALS)} FROM arrival_totals WHERE {WHERE}
    UNION ALL SELECT * FROM ({ARRIVED.format(source=UNFOLDED)}) AS unfolded WHERE {WHERE}
)"""  # noqa: S608
EVERY_REFUSAL = f"""(
    SELECT sender, machine_id, kind, hour, refused, last_received_at FROM refusal_totals WHERE {WHERE}
    UNION ALL SELECT * FROM ({REFUSED.format(source=UNFOLDED)}) AS unfolded WHERE {WHERE}
)"""  # noqa: S608
# What is taken together has a value nobody has, not NULL: NULLs cannot be joined by hash.
KEYS: Mapping[By, tuple[str, str]] = {
    "sender": ("sender", "-1"),
    "machine": ("''", "machine_id"),
    "sender and machine": ("sender", "machine_id"),
}


def _accounts(by: By) -> str:
    sender, machine = KEYS[by]
    return f"""
        WITH arrived AS (
            SELECT {sender} AS sender, {machine} AS machine_id, {", ".join(f"sum({n}) AS {n}" for n in SUMMED)},
                min(least_lag_s) AS least_lag_s, max(largest_lag_s) AS largest_lag_s,
                max(last_received_at) AS last_received_at
            FROM {EVERY_ARRIVAL} AS a GROUP BY 1, 2
        ), by_kind AS (
            SELECT {sender} AS sender, {machine} AS machine_id, kind, sum(refused) AS refused,
                max(last_received_at) AS last_received_at
            FROM {EVERY_REFUSAL} AS r GROUP BY 1, 2, 3
        ), refused AS (
            SELECT sender, machine_id, jsonb_object_agg(kind, refused) AS refused, max(last_received_at) AS last_at
            FROM by_kind GROUP BY 1, 2
        )
        SELECT nullif(sender, '') AS sender, m.key AS machine,
            {", ".join(f"coalesce(a.{n}, 0)::bigint AS {n}" for n in SUMMED)},
            coalesce(r.refused, '{{}}') AS rejected, a.least_lag_s, a.largest_lag_s,
            greatest(a.last_received_at, r.last_at) AS last_received_at, count(*) OVER () AS total
        FROM (SELECT sender, machine_id FROM arrived UNION SELECT sender, machine_id FROM refused) AS k
        LEFT JOIN arrived AS a USING (sender, machine_id) LEFT JOIN refused AS r USING (sender, machine_id)
        LEFT JOIN machines AS m ON m.id = machine_id
        ORDER BY sender, m.key NULLS FIRST LIMIT :limit OFFSET :offset
    """  # noqa: S608  (names of our own)


ACCOUNTS = {by: text(_accounts(by)) for by in KEYS}
HOURS = text(
    f"""SELECT sender, hour, min(least_lag_s) AS least_lag_s FROM {EVERY_ARRIVAL} AS a
    WHERE sender = ANY(:senders) AND least_lag_s IS NOT NULL GROUP BY sender, hour ORDER BY sender, hour"""  # noqa: S608
)
FUTURE = text(
    f"""SELECT sender, sum(refused)::bigint FROM {EVERY_REFUSAL} AS r
    WHERE sender = ANY(:senders) AND kind = 'future' GROUP BY sender"""  # noqa: S608
)
COUNTED_UNTIL = text(
    f"""SELECT CASE WHEN count(*) = {MOST_UNFOLDED} THEN max(received_at) END FROM {UNFOLDED} AS a"""  # noqa: S608
)


def arrivals_page(
    session: Session,
    now: datetime,
    by: By,
    sender: str | None,
    machine_id: int | None,
    since: datetime | None,
    *,
    limit: int,
    offset: int,
) -> AccountPage:
    """In the order of sender and machine."""
    given = {"sender": sender, "machine_id": machine_id, "since": since or BEFORE, "limit": limit, "offset": offset}
    rows = session.execute(ACCOUNTS[by], given).mappings().all()
    senders = {row["sender"] for row in rows if row["sender"] is not None}
    doubts = _clock_doubts(session, senders, now) if senders else {}
    return AccountPage(
        items=[_account(dict(row), doubts, now) for row in rows],
        total=rows[0]["total"] if rows else 0,
        counted_until=session.scalar(COUNTED_UNTIL),
    )


def _account(row: Mapping[str, Any], doubts: Mapping[str, str], now: datetime) -> AccountOut:
    quiet_for_s = max(0.0, (now - row["last_received_at"]).total_seconds())
    return AccountOut.model_validate({**row, "quiet_for_s": quiet_for_s, "clock": doubts.get(row["sender"] or "")})


def _clock_doubts(session: Session, senders: Collection[str], now: datetime) -> dict[str, str]:
    """What is doubtful about the clocks of these senders, by what they sent in the last day."""
    given = {"sender": None, "machine_id": None, "since": now - CLOCK_WINDOW, "senders": list(senders)}
    lags: dict[str, list[int]] = defaultdict(list)
    for sender, _, least_lag_s in session.execute(HOURS, given):
        lags[sender].append(least_lag_s)
    future: dict[str, int] = dict(session.execute(FUTURE, given).all())
    doubts = {sender: clock_doubt(lags[sender], future.get(sender, 0)) for sender in senders}
    return {sender: doubt for sender, doubt in doubts.items() if doubt}
