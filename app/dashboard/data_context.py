"""What the data page is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.dashboard.context import FlagRow, Frame, SilentMachine


@dataclass(frozen=True)
class Rejected:
    machine: str | None
    field: str | None
    reason: str
    payload: str
    sender: str
    received_at: datetime


@dataclass(frozen=True)
class Conflicting:
    machine: str
    channel: str
    unit: str
    measured_at: datetime
    stored_value: float
    refused_value: float
    sender: str
    received_at: datetime


@dataclass(frozen=True)
class Account:
    """What came from a sender, or about a machine (None: about none that is known)."""

    sender: str | None
    machine: str | None
    accepted: int
    duplicates: int
    merged: int
    conflicts: int
    refused: int
    refused_words: str
    late: int
    largest_lag: str
    last_received_at: datetime
    clock: str | None


@dataclass(frozen=True)
class DataPage:
    """`sender` and `machine` are what the page is narrowed to; of each list the first, `*_total` counts all."""

    frame: Frame
    sender: str
    machine: str
    counted_for: str
    silent_after: str
    silent: tuple[SilentMachine, ...]
    accounts: tuple[Account, ...]
    accounts_total: int
    flags: tuple[FlagRow, ...]
    flags_total: int
    rejected: tuple[Rejected, ...]
    rejected_total: int
    conflicts: tuple[Conflicting, ...]
    conflicts_total: int

    @property
    def narrowed(self) -> bool:
        return bool(self.sender or self.machine)
