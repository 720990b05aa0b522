"""The data page: machines that fell silent, readings that contradict, readings that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from app.dashboard import words
from app.dashboard.context import Conflicting, DataPage, Frame, Rejected, SilentMachine
from app.ingest.tables import ReadingConflict, RejectedReading

LONGEST_PAYLOAD = 300


def data_page(
    frame: Frame,
    silent: tuple[SilentMachine, ...],
    rejected: tuple[int, Sequence[RejectedReading]],
    conflicts: tuple[int, Sequence[tuple[str, ReadingConflict]]],
    silent_after: timedelta,
) -> DataPage:
    return DataPage(
        frame=frame,
        silent=silent,
        rejected=tuple(map(_rejected, rejected[1])),
        rejected_total=rejected[0],
        conflicts=tuple(_conflict(key, conflict) for key, conflict in conflicts[1]),
        conflicts_total=conflicts[0],
        silent_after=words.duration(silent_after.total_seconds() / 3600),
    )


def _rejected(row: RejectedReading) -> Rejected:
    return Rejected(
        machine=row.machine,
        field=row.field,
        reason=row.reason,
        payload=row.payload[:LONGEST_PAYLOAD],
        sender=row.sender,
        received_at=row.received_at,
    )


def _conflict(key: str, row: ReadingConflict) -> Conflicting:
    name, unit = words.channel(row.channel)
    return Conflicting(
        machine=key,
        channel=name,
        unit=unit,
        measured_at=row.measured_at,
        stored_value=row.stored_value,
        refused_value=row.refused_value,
        sender=row.sender,
        received_at=row.received_at,
    )
