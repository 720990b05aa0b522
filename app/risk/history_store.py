"""SQL for what was said of one machine over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from app.risk.curve_sql import probability_at

# Points are thinned to this many, keeping the highest risk of each stretch.
MOST_POINTS = 2000

SERVED_WHEN_SCORED = """EXISTS (
    SELECT FROM serving_stints stint
    WHERE stint.model_id = p.model_id AND p.scored_at >= stint.started_at
        AND p.scored_at < coalesce(stint.ended_at, 'infinity')
)"""
# Of several models that scored the same moment, the one that served then, else the one promoted last; a model never
# promoted was never served.
HISTORY = """
    WITH said AS (
        SELECT DISTINCT ON (p.as_of) p.as_of, p.model_id, p.horizons_hours, p.probabilities, p.anomaly_score,
            CASE WHEN p.not_enough_data IS NULL THEN {probability} END AS probability
        FROM predictions p JOIN models ON models.id = p.model_id AND models.promoted_at IS NOT NULL
        WHERE p.machine_id = :machine_id AND p.as_of >= :since AND p.as_of < :until
        ORDER BY p.as_of, {served_when_scored} DESC, models.promoted_at DESC
    ), stretches AS (SELECT said.*, ntile(:most_points) OVER (ORDER BY as_of) AS stretch FROM said)
    SELECT DISTINCT ON (stretch) as_of, model_id, probability, anomaly_score
    FROM stretches ORDER BY stretch, probability DESC NULLS LAST, as_of
"""


def history(
    session: Session, machine_id: int, horizon_hours: float, since: datetime, until: datetime
) -> Sequence[RowMapping]:
    """What was said over time of one machine, at most MOST_POINTS; a gap has probability None."""
    probability = probability_at("CAST(:horizon_hours AS double precision)")
    query = HISTORY.format(probability=probability, served_when_scored=SERVED_WHEN_SCORED)
    given = {
        "machine_id": machine_id,
        "horizon_hours": horizon_hours,
        "since": since,
        "until": until,
        "most_points": MOST_POINTS,
    }
    return session.execute(text(query), given).mappings().all()
