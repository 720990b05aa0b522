"""The latest reading of each machine, by the time it was measured, and the machines that fell silent.

Roll-ups note the newest reading they saw; whoever asks looks only whether a newer one came since. So a machine that
has been silent for years costs as little as a live one, and late readings never become the latest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.tables import CORE_CHANNELS

# How far back to look for readings that no roll-up has seen: less than the age from which they may be packed.
LOOK_BACK = timedelta(days=2)
CHANNELS = ", ".join((*CORE_CHANNELS, "extra"))
# In a lateral join: one row at most for the machine whose id {machine} is. `:recent` is LOOK_BACK before now, given
# as a value so that the planner leaves older partitions out. The last arm is for machines that no roll-up has seen.
NEWEST = f"""
    SELECT each.* FROM (VALUES (1)) AS one
    LEFT JOIN LATERAL (
        SELECT measured_at, {CHANNELS} FROM readings
        WHERE machine_id = {{machine}} AND measured_at >= :recent ORDER BY measured_at DESC LIMIT 1
    ) AS recent ON true
    LEFT JOIN latest_readings AS known ON known.machine_id = {{machine}}
    LEFT JOIN LATERAL (
        SELECT measured_at, {CHANNELS} FROM readings
        WHERE recent.measured_at IS NULL AND known.machine_id IS NULL AND machine_id = {{machine}}
        ORDER BY measured_at DESC LIMIT 1
    ) AS unseen ON true
    CROSS JOIN LATERAL (
        SELECT recent.* WHERE recent.measured_at IS NOT NULL
        UNION ALL SELECT {", ".join(f"known.{column}" for column in ("measured_at", *CORE_CHANNELS, "extra"))}
            WHERE recent.measured_at IS NULL AND known.measured_at IS NOT NULL
        UNION ALL SELECT unseen.* WHERE unseen.measured_at IS NOT NULL
    ) AS each
"""  # noqa: S608  (column names of our own)
LATEST = text(
    f"""
    SELECT machines.id, latest.measured_at, {", ".join(CORE_CHANNELS)}, coalesce(latest.extra, '{{}}') AS extra
    FROM machines CROSS JOIN LATERAL ({NEWEST.format(machine="machines.id")}) AS latest
    WHERE CAST(:machine_ids AS int[]) IS NULL OR machines.id = ANY(:machine_ids)
    """  # noqa: S608
)
SILENT = text(
    f"""
    SELECT machines.id, latest.measured_at
    FROM machines LEFT JOIN LATERAL ({NEWEST.format(machine="machines.id")}) AS latest ON true
    WHERE decommissioned_at IS NULL AND (latest.measured_at < :since OR latest.measured_at IS NULL)
    """  # noqa: S608
)
NOTE = text(
    f"""
    INSERT INTO latest_readings AS known (machine_id, measured_at, {CHANNELS})
    SELECT DISTINCT ON (machine_id) machine_id, measured_at, {CHANNELS} FROM touched
    ORDER BY machine_id, measured_at DESC
    ON CONFLICT (machine_id) DO UPDATE SET measured_at = excluded.measured_at,
        {", ".join(f"{channel} = excluded.{channel}" for channel in (*CORE_CHANNELS, "extra"))}
    WHERE excluded.measured_at >= known.measured_at
    """  # noqa: S608
)


@dataclass(frozen=True)
class LatestReading:
    """What a machine showed last; a channel is None where that reading had none."""

    machine_id: int
    measured_at: datetime
    temperature_c: float | None
    vibration_mm_s: float | None
    current_a: float | None
    runtime_hours: float | None
    extra: dict[str, float]


def note_latest(session: Session) -> None:
    """Of the readings in the temporary table `touched`, those of a roll-up, keep each machine's newest."""
    session.execute(NOTE)


def latest_readings(session: Session, machine_ids: Collection[int] | None = None) -> dict[int, LatestReading]:
    """By machine id; machines that never sent anything are left out."""
    ids = None if machine_ids is None else list(machine_ids)
    rows = session.execute(LATEST, {"machine_ids": ids, "recent": datetime.now(UTC) - LOOK_BACK})
    return {row[0]: LatestReading(*row) for row in rows}


def silent_machines(session: Session, since: datetime) -> dict[int, datetime | None]:
    """Machines in service without a reading since then -> when they last sent one, None for never."""
    asked = {"since": since, "recent": datetime.now(UTC) - LOOK_BACK}
    return dict(session.execute(SILENT, asked).all())
