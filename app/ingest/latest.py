"""The latest reading of each machine, by the time it was measured, and the machines that fell silent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# The newest partition that has the machine ends the search: one index look-up a machine, not a scan.
LATEST = text(
    """
    SELECT machines.id, latest.measured_at, latest.temperature_c, latest.vibration_mm_s, latest.current_a,
        latest.runtime_hours, coalesce(latest.extra, '{}') AS extra
    FROM machines CROSS JOIN LATERAL (
        SELECT * FROM readings WHERE readings.machine_id = machines.id ORDER BY measured_at DESC LIMIT 1
    ) AS latest
    WHERE CAST(:machine_ids AS int[]) IS NULL OR machines.id = ANY(:machine_ids)
    """
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


def latest_readings(session: Session, machine_ids: Collection[int] | None = None) -> dict[int, LatestReading]:
    """By machine id; machines that never sent anything are left out."""
    ids = None if machine_ids is None else list(machine_ids)
    rows = session.execute(LATEST, {"machine_ids": ids})
    return {row[0]: LatestReading(*row) for row in rows}


def silent_machines(session: Session, since: datetime) -> dict[int, datetime | None]:
    """Machines in service without a reading since then -> when they last sent one, None for never."""
    latest = latest_readings(session)
    in_service = session.scalars(text("SELECT id FROM machines WHERE decommissioned_at IS NULL"))
    last = {machine: latest[machine].measured_at if machine in latest else None for machine in in_service}
    return {machine: at for machine, at in last.items() if at is None or at < since}
