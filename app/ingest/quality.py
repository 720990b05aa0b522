"""Doubts about stored readings, judged with the roll-up: outside the class's range, too fast, stuck, counter reset.

A bucket's flags depend on its readings, on the last value before it and, for stuck values, on the hours before it.
So a touched bucket has those after it judged again, and the order of arrival changes nothing. Roll-ups tell which
buckets can hold a doubt at all; only of those the readings are read.
"""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.asset_classes import DEFAULT, AssetClasses, load_asset_classes
from app.ingest.plausibility import COUNTER_JITTER_HOURS, IDLE_A, IDLE_SHARE_OF_RATED, RESET_BELOW
from app.ingest.tables import CORE_CHANNELS
from app.settings import Settings

# A counter typed in once a day rises by a day at once.
COUNTER_LEAP_HOURS = 25
# How much of the window a value must have been seen in, and of its buckets a machine must have run in.
LEAST_COVERED, LEAST_RUNNING = 0.75, 0.75

OUTSIDE, TOO_FAST, STUCK = "outside_range", "too_fast", "stuck"
COUNTER_RESET, COUNTER_FELL = "counter_reset", "counter_fell"
KINDS = (OUTSIDE, TOO_FAST, STUCK, COUNTER_RESET, COUNTER_FELL)

CURRENT_ID, RUNTIME_ID = CORE_CHANNELS.index("current_a") + 1, CORE_CHANNELS.index("runtime_hours") + 1
VALUE = f"""CASE j.channel_id {" ".join(f"WHEN {n} THEN r.{c}" for n, c in enumerate(CORE_CHANNELS, start=1))}
    ELSE (r.extra ->> j.key)::float8 END"""

# Touched buckets nearer to each other than stuck values reach are judged as one stretch, with what follows them.
STRETCH = text(
    """
    CREATE TEMPORARY TABLE stretch ON COMMIT DROP AS
    WITH apart AS (
        SELECT machine_id, bucket_start, bucket_start - lag(bucket_start) OVER of_machine > :reach AS far
        FROM taken WINDOW of_machine AS (PARTITION BY machine_id ORDER BY bucket_start)
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE far) OVER (PARTITION BY machine_id ORDER BY bucket_start) AS number
        FROM apart
    )
    SELECT machine_id, min(bucket_start) AS since, max(bucket_start) + :reach AS until,
        coalesce(lead(min(bucket_start)) OVER (PARTITION BY machine_id ORDER BY number), 'infinity') AS next_since
    FROM numbered GROUP BY machine_id, number
    """
)
OF_CHANNEL = (
    "FROM rollups AS r WHERE r.machine_id = w.machine_id AND r.channel_id = w.channel_id AND r.bucket_start"
)
# Of each channel, from the bucket before the stretch to the one after it: those where a doubt is possible at all,
# and the one after, whose change from the value before it may be another one now.
JUDGE = text(
    f"""
    CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
    WITH rule AS MATERIALIZED (
        SELECT channels.id AS channel_id, given.* FROM jsonb_to_recordset(CAST(:rules AS jsonb)) AS given (
            asset_class text, key text, low float8, high float8, most_per_minute float8, least_step float8,
            stuck interval, stuck_readings int
        ) JOIN channels USING (key)
    ), watched AS (
        SELECT stretch.*, rule.*, m.rated_current_a
        FROM stretch JOIN machines AS m ON m.id = stretch.machine_id
        JOIN rule ON rule.asset_class = CASE WHEN m.asset_class = ANY(:classes) THEN m.asset_class ELSE :default END
    ), seen AS (
        SELECT w.*, r.*,
            coalesce(min < low, false) OR coalesce(max > high, false)
            OR coalesce(most_per_minute IS NOT NULL AND greatest(max, before) - least(min, before) >= least_step,
                false)
            OR (channel_id = {RUNTIME_ID} AND (coalesce(min < before, false) OR last < max
                OR greatest(max, before) - least(min, before) > {COUNTER_LEAP_HOURS})) AS look,
            coalesce(min = max AND bucket_start < until
                AND (before = min OR bucket_before IS NULL OR bucket_before < bucket_start + :width - stuck), false)
                AS still
        FROM watched AS w CROSS JOIN LATERAL (
            SELECT r.bucket_start, r.n, r.min, r.max, r.last, lag(r.last) OVER in_order AS before,
                lag(r.bucket_start) OVER in_order AS bucket_before
            {OF_CHANNEL} >= coalesce((SELECT max(r.bucket_start) {OF_CHANNEL} < w.since), w.since)
                AND r.bucket_start <= coalesce(
                    (SELECT min(r.bucket_start) {OF_CHANNEL} >= w.until AND r.bucket_start < w.next_since), w.until
                )
            WINDOW in_order AS (ORDER BY r.bucket_start)
        ) AS r
    )
    SELECT * FROM seen WHERE bucket_start >= since AND (look OR still OR bucket_start >= until)
    """  # noqa: S608  (numbers and names of our own)
)
FORGET = text(
    """
    DELETE FROM reading_flags AS f USING stretch AS s
    WHERE f.machine_id = s.machine_id AND f.bucket_start >= s.since AND f.bucket_start < s.until
    """
)
FORGET_AFTER = text(
    f"""
    DELETE FROM reading_flags AS f USING judged AS j
    WHERE j.bucket_start >= j.until AND f.machine_id = j.machine_id AND f.channel_id = j.channel_id
        AND f.bucket_start = j.bucket_start AND f.kind <> '{STUCK}'
    """  # noqa: S608
)
FOUND = text("SELECT coalesce(bool_or(look), false), coalesce(bool_or(still), false) FROM judged")
FLAG_READINGS = text(
    f"""
    INSERT INTO reading_flags (machine_id, channel_id, bucket_start, kind, n, first_at, value, before)
    SELECT j.machine_id, j.channel_id, j.bucket_start, doubt.kind, count(*), min(p.measured_at),
        (array_agg(p.value ORDER BY p.measured_at))[1],
        CASE WHEN doubt.kind <> '{OUTSIDE}' THEN (array_agg(p.before ORDER BY p.measured_at))[1] END
    FROM judged AS j CROSS JOIN LATERAL (
        SELECT measured_at, value, lag(value) OVER w AS before,
            extract(epoch FROM measured_at - lag(measured_at) OVER w)::float8 / 60 AS minutes
        FROM (
            SELECT r.measured_at, {VALUE} AS value FROM (
                SELECT * FROM readings_between(j.machine_id, j.bucket_before, j.bucket_before + :width)
                UNION ALL SELECT * FROM readings_between(j.machine_id, j.bucket_start, j.bucket_start + :width)
            ) AS r
        ) AS valued WHERE value IS NOT NULL WINDOW w AS (ORDER BY measured_at)
    ) AS p
    CROSS JOIN LATERAL (VALUES
        ('{OUTSIDE}', p.value < j.low OR p.value > j.high),
        ('{TOO_FAST}', abs(p.value - p.before) >= j.least_step
            AND abs(p.value - p.before) > j.most_per_minute * p.minutes),
        ('{TOO_FAST}', j.channel_id = {RUNTIME_ID} AND j.most_per_minute IS NULL
            AND p.value - p.before > p.minutes / 60 + {COUNTER_LEAP_HOURS}),
        ('{COUNTER_RESET}', j.channel_id = {RUNTIME_ID} AND p.value < p.before * {RESET_BELOW}),
        ('{COUNTER_FELL}', j.channel_id = {RUNTIME_ID} AND p.value >= p.before * {RESET_BELOW}
            AND p.value < p.before - {COUNTER_JITTER_HOURS})
    ) AS doubt (kind, there)
    WHERE j.look AND doubt.there AND p.measured_at >= j.bucket_start
    GROUP BY j.machine_id, j.channel_id, j.bucket_start, doubt.kind
    """  # noqa: S608
)
# The machine runs where its current is above idle most of the time; without a current, where its hours rise;
# without both, where another channel moves, unless the value is the 0 of a machine at rest.
FLAG_STUCK = text(
    f"""
    INSERT INTO reading_flags (machine_id, channel_id, bucket_start, kind, n, first_at, value)
    SELECT j.machine_id, j.channel_id, j.bucket_start, '{STUCK}', j.n, j.bucket_start, j.min
    FROM judged AS j CROSS JOIN LATERAL (
        SELECT sum(r.n) AS n, min(r.min) = max(r.max) AS same, min(r.bucket_start) AS first FROM rollups AS r
        WHERE r.machine_id = j.machine_id AND r.channel_id = j.channel_id
            AND r.bucket_start >= j.bucket_start + :width - j.stuck AND r.bucket_start <= j.bucket_start
    ) AS own CROSS JOIN LATERAL (
        SELECT max(running) FILTER (WHERE channel_id = {CURRENT_ID}) AS running,
            max(high - low) FILTER (WHERE channel_id = {RUNTIME_ID}) AS hours,
            bool_or(high > low) FILTER (WHERE channel_id <> j.channel_id) AS moves
        FROM (
            SELECT r.channel_id, min(r.min) AS low, max(r.max) AS high,
                avg((r.max > coalesce(j.rated_current_a * {IDLE_SHARE_OF_RATED}, {IDLE_A}))::int) AS running
            FROM rollups AS r
            WHERE r.machine_id = j.machine_id
                AND r.bucket_start >= j.bucket_start + :width - j.stuck AND r.bucket_start <= j.bucket_start
            GROUP BY r.channel_id
        ) AS channels
    ) AS machine
    WHERE j.still AND own.same AND own.n >= j.stuck_readings
        AND own.first <= j.bucket_start + :width - j.stuck * {LEAST_COVERED}
        AND CASE WHEN machine.running IS NOT NULL THEN machine.running >= {LEAST_RUNNING}
            WHEN j.channel_id = {RUNTIME_ID} THEN false
            WHEN machine.hours IS NOT NULL THEN machine.hours > 0
            ELSE j.min <> 0 AND coalesce(machine.moves, false) END
    """  # noqa: S608
)


def flag_touched(session: Session, settings: Settings) -> None:
    """Judge the buckets in the temporary table `taken`, whose roll-ups are written, and those that follow them."""
    classes = load_asset_classes(settings.plausible_values)
    width = {"width": settings.bucket}
    reach = max(timedelta(hours=classes.longest_stuck_hours), settings.bucket)
    given = {
        "rules": rules(classes, settings.bucket),
        "classes": list(classes.by_class),
        "default": DEFAULT,
        "reach": reach,
    }
    session.execute(text("DROP TABLE IF EXISTS pg_temp.stretch, pg_temp.judged"))
    session.execute(STRETCH, {"reach": reach})
    session.execute(JUDGE, given | width)
    session.execute(FORGET)
    session.execute(FORGET_AFTER)
    look, still = session.execute(FOUND).one()
    if look:
        session.execute(FLAG_READINGS, width)
    if still:
        session.execute(FLAG_STUCK, width)


def rules(classes: AssetClasses, bucket: timedelta) -> str:
    """A JSON row a class and channel, as the statement reads them; nothing is stuck for less than a bucket."""
    rows = [
        {"asset_class": name, "key": key}
        | rule.model_dump(exclude={"source", "stuck_hours"})
        | {"stuck": rule.stuck_hours and f"{max(rule.stuck_hours * 3600, bucket.total_seconds())} seconds"}
        for name, channels in classes.by_class.items()
        for key, rule in channels.items()
    ]
    return json.dumps(rows)
