"""The data page: machines that fell silent, readings that contradict, readings that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from app.dashboard import words
from app.dashboard.context import Frame, SilentMachine
from app.dashboard.record_context import Conflicting, DataPage, Rejected
from app.ingest.schemas import ConflictOut, RejectedOut

LONGEST_PAYLOAD = 300


def data_page(
    frame: Frame,
    silent: tuple[SilentMachine, ...],
    rejected: Sequence[RejectedOut],
    conflicts: Sequence[ConflictOut],
    totals: tuple[int, int],
    silent_after: timedelta,
) -> DataPage:
    """`totals`: all refused and all contradicting readings, of which the newest are given."""
    return DataPage(
        frame=frame,
        silent=silent,
        rejected=tuple(map(_rejected, rejected)),
        rejected_total=totals[0],
        conflicts=tuple(map(_conflict, conflicts)),
        conflicts_total=totals[1],
        silent_after=words.duration(silent_after.total_seconds() / 3600),
    )


def _rejected(row: RejectedOut) -> Rejected:
    return Rejected(
        machine=row.machine,
        field=row.field,
        reason=row.reason,
        payload=row.payload[:LONGEST_PAYLOAD],
        sender=row.sender,
        received_at=row.received_at,
    )


def _conflict(row: ConflictOut) -> Conflicting:
    name, unit = words.channel(row.channel)
    return Conflicting(
        machine=row.machine,
        channel=name,
        unit=unit,
        measured_at=row.measured_at,
        stored_value=row.stored_value,
        refused_value=row.refused_value,
        sender=row.sender,
        received_at=row.received_at,
    )
