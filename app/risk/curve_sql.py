"""app.risk.curve in SQL, so that a fleet is ranked where its predictions lie; a test holds the two together."""

from __future__ import annotations

# k is how many horizons lie at or before the time asked for: it falls between the k-th and the one after.
PROBABILITY_AT = """(
    SELECT 1 - power(1 - low, (finish - hours) / (finish - start))
        * power(1 - high, (hours - start) / (finish - start))
    FROM (
        SELECT hours, coalesce({p}.horizons_hours[k], 0) AS start, {p}.horizons_hours[k + 1] AS finish,
            least(coalesce({p}.probabilities[k], 0), 1 - 1e-9) AS low,
            least({p}.probabilities[k + 1], 1 - 1e-9) AS high
        FROM (
            SELECT hours, least(
                width_bucket(hours, {p}.horizons_hours), cardinality({p}.horizons_hours) - 1
            ) AS k
            FROM (SELECT {hours} AS hours) asked
        ) place
    ) ends
    WHERE hours <= finish AND {p}.probabilities IS NOT NULL
)"""


def probability_at(hours: str, prediction: str = "p") -> str:
    """SQL for P(fail before `hours`) by the prediction of that name; NULL beyond its longest horizon."""
    return PROBABILITY_AT.format(hours=hours, p=prediction)
