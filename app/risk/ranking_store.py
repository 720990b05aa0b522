"""SQL for the fleet ranked by risk: one statement, whatever the size of the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from app.ingest.latest import LOOK_BACK, NEWEST
from app.risk.curve_sql import probability_at

# A longer page is likely to reach the tail, and then looking for the head first is work done twice.
LONGEST_HEAD = 200
ORDERS = {"expected_loss": "expected_loss", "probability": "probability"}

LIVE = "live.live IS TRUE"
FRESH = "(p.as_of >= :stale_since AND p.not_enough_data IS NULL AND p.probabilities IS NOT NULL) IS TRUE"
# app.risk.assess in SQL; a test holds the two together. Worked out only for those who filter by status.
STATUS = """
    AND CASE WHEN NOT {live} THEN 'no_data' WHEN NOT {fresh} THEN 'not_enough_data'
        WHEN {probability} >= :alarm_probability THEN 'alarm'
        WHEN {probability} >= :warn_probability THEN 'warning' ELSE 'normal' END = :status
"""
# The fleet with its served risk. `live` asks first what the last roll-up saw, then for one newer index entry.
JUDGED = """
    SELECT m.id AS machine_id, m.key, p.id AS prediction_id,
        coalesce(m.failure_cost, :default_failure_cost) AS failure_cost,
        {probability} AS probability, {usable} AS usable, {anomaly} AS anomaly
    FROM machines m
    LEFT JOIN latest_predictions l ON l.machine_id = m.id
    LEFT JOIN predictions p ON p.id = l.prediction_id
    {with_live}
    WHERE (m.decommissioned_at IS NULL OR m.decommissioned_at > :now)
        AND (CAST(:site AS text) IS NULL OR m.site = :site)
        AND (CAST(:line AS text) IS NULL OR m.line = :line)
        AND (CAST(:q AS text) IS NULL OR position(lower(:q) IN lower(m.key || ' ' || coalesce(m.name, ''))) > 0)
        {having_status}
"""
LIVE_OF = """ JOIN LATERAL (
    SELECT true AS live WHERE EXISTS (
        SELECT FROM latest_readings l WHERE l.machine_id = {machine} AND l.measured_at >= :silent_since
    ) OR EXISTS (SELECT FROM readings r WHERE r.machine_id = {machine} AND r.measured_at >= :silent_since)
) live ON true """
CHOSEN = """
    SELECT machine_id, key, prediction_id, probability, usable AND probability IS NOT NULL AS usable,
        anomaly, failure_cost, probability * failure_cost AS expected_loss
    FROM ({judged} OFFSET 0) judged
    WHERE CAST(:min_probability AS double precision) IS NULL OR usable AND probability >= :min_probability
"""
# OFFSET 0 keeps the planner from working the same probability out once for every place that uses it.
# Of those whose risk nobody knows, they who are unlike themselves come first: all of a plant without labels.
RANKED = "usable DESC, CASE WHEN usable THEN {order} END DESC NULLS LAST, anomaly DESC NULLS LAST, key"
# Every machine is asked whether it is live, so that the tail of the ranking is right.
WHOLE = "SELECT chosen.* FROM chosen ORDER BY {ranked} LIMIT :limit OFFSET :offset"
# Only the first live ones are looked for, in the order of the ranking: enough for a page that no tail reaches.
HEAD = """
    SELECT ranked.*
    FROM (SELECT * FROM chosen WHERE usable ORDER BY {order} DESC NULLS LAST, key OFFSET 0) ranked {with_live}
    ORDER BY {order} DESC NULLS LAST, key LIMIT :limit OFFSET :offset
"""
PAGE = """
    WITH chosen AS MATERIALIZED ({chosen}), page AS ({page}),
    placed AS (SELECT row_number() OVER (ORDER BY {ranked}) AS place, * FROM page)
    SELECT totals.total, page.*, m.name, m.site, m.line, m.asset_class, m.failure_cost AS own_failure_cost,
        m.decommissioned_at, p.as_of, p.horizons_hours, p.probabilities, p.not_enough_data, p.anomaly_score,
        p.coverage, p.remaining_life_low_hours, p.remaining_life_median_hours, p.remaining_life_high_hours,
        p.reasons -> 0 ->> 'words' AS first_reason, newest.measured_at AS last_reading_at,
        before.probability AS probability_before
    FROM (SELECT count(*) AS total FROM chosen) totals
    LEFT JOIN placed page ON true
    LEFT JOIN machines m ON m.id = page.machine_id
    LEFT JOIN predictions p ON p.id = page.prediction_id
    LEFT JOIN LATERAL ({newest}) newest ON true
    LEFT JOIN LATERAL (
        SELECT {probability_before} AS probability FROM predictions b
        WHERE b.machine_id = page.machine_id AND b.model_id = p.model_id
            AND b.as_of <= p.as_of - interval '1 day' AND b.as_of > p.as_of - interval '2 days'
        ORDER BY b.as_of DESC LIMIT 1
    ) before ON true
    ORDER BY page.place
"""


def ranked_fleet(session: Session, order: str, given: Mapping[str, Any]) -> tuple[int, Sequence[RowMapping]]:
    """How many machines the filters let through, and the rows of the page asked for."""
    if given["status"] is None and given["min_probability"] is None and given["limit"] <= LONGEST_HEAD:
        nobody = "CAST(NULL AS double precision)"
        judged = JUDGED.format(
            probability=_asked("p"), usable=FRESH, anomaly=nobody, with_live="", having_status=""
        )
        head = HEAD.format(order=ORDERS[order], with_live=LIVE_OF.format(machine="ranked.machine_id"))
        total, rows = _page(session, order, judged, head, given)
        if len(rows) == given["limit"]:
            return total, rows
    judged = JUDGED.format(
        probability=_asked("p"),
        usable=f"{LIVE} AND {FRESH}",
        anomaly=f"CASE WHEN {LIVE} AND p.as_of >= :stale_since THEN p.anomaly_score END",
        with_live="LEFT" + LIVE_OF.format(machine="m.id"),
        having_status=_having_status() if given["status"] else "",
    )
    return _page(session, order, judged, WHOLE.format(ranked=RANKED.format(order=ORDERS[order])), given)


def _page(
    session: Session, order: str, judged: str, page: str, given: Mapping[str, Any]
) -> tuple[int, Sequence[RowMapping]]:
    query = PAGE.format(
        chosen=CHOSEN.format(judged=judged),
        page=page,
        ranked=RANKED.format(order=ORDERS[order]),
        probability_before=_asked("b"),
        newest=NEWEST.format(machine="page.machine_id"),
    )
    asked = dict(given) | {"recent": given["now"] - LOOK_BACK}
    rows = session.execute(text(query), asked).mappings().all()
    return rows[0]["total"], [row for row in rows if row["machine_id"] is not None]


def _asked(prediction: str) -> str:
    return probability_at("CAST(:horizon_hours AS double precision)", prediction)


def _having_status() -> str:
    horizon = "CAST(:status_horizon_hours AS double precision)"
    longest = "p.horizons_hours[cardinality(p.horizons_hours)]"
    return STATUS.format(live=LIVE, fresh=FRESH, probability=probability_at(f"least({horizon}, {longest})"))
