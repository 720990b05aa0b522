"""What becomes of a second reading for the same machine and time. Pure: the first value of a channel stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Outcome(IntEnum):
    """What became of one row; every stored or refused row is exactly one of them."""

    ACCEPTED = 0
    DUPLICATE = 1
    MERGED = 2
    CONFLICT = 3


@dataclass(frozen=True)
class Contradiction:
    """A channel that already has another value."""

    row: int
    channel: str
    stored: float
    refused: float


@dataclass
class Stored:
    """A stored reading's channels, named and extra alike, and which of them were filled in now."""

    values: dict[str, float]
    filled: dict[str, float] = field(default_factory=dict)

    def merge(self, row: int, arriving: dict[str, float]) -> tuple[Outcome, list[Contradiction]]:
        """Fill what is missing, name what contradicts. A row that does both is a conflict."""
        contradictions = []
        outcome = Outcome.DUPLICATE
        for channel, value in arriving.items():
            stored = self.values.get(channel)
            if stored is None:
                self.values[channel] = self.filled[channel] = value
                outcome = Outcome.MERGED
            elif stored != value:
                contradictions.append(Contradiction(row, channel, stored, value))
        return (Outcome.CONFLICT if contradictions else outcome), contradictions
