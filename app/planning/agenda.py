"""In which hours each crew does its services: the window that closes first comes first, work pauses between shifts.

Earliest due date first fits whenever anything does (Horn 1974; see limits), so the times keep what the plan says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.planning.problem import MINUTE, Crew, Span


@dataclass
class Work:
    """What a crew has to do within a window; `left` and `done` while it is laid out."""

    machine: str
    window: Span
    minutes: int
    risk: float
    left: int = field(init=False)
    done: Span | None = None

    def __post_init__(self) -> None:
        self.left = self.minutes


def lay_out(crew: Crew, works: Sequence[Work]) -> dict[str, Span]:
    """By machine when work on it begins and ends; where the hours do not suffice, until the window's end."""
    for shift in crew.shifts:
        now = shift.start
        while now < shift.end:
            ready = [each for each in works if each.left and each.window.start <= now < each.window.end]
            if ready:
                now = _do(min(ready, key=_urgency), now, _next_change(works, now, shift.end))
            else:
                now = _next_change(works, now, shift.end)
    return {each.machine: _span(each) for each in works}


def _urgency(work: Work) -> tuple[datetime, bool, float, str]:
    return work.window.end, work.done is None, -work.risk, work.machine


def _do(work: Work, now: datetime, until: datetime) -> datetime:
    until = min(until, now + work.left * MINUTE, work.window.end)
    # Hours that are left of a begun minute still count as one.
    work.left -= max(-(-(until - now) // MINUTE), 1)
    work.left = max(work.left, 0)
    work.done = Span(work.done.start if work.done else now, until)
    return until


def _next_change(works: Iterable[Work], now: datetime, latest: datetime) -> datetime:
    return min((each.window.start for each in works if now < each.window.start < latest), default=latest)


def _span(work: Work) -> Span:
    if work.done is None:
        return work.window
    return Span(work.done.start, work.window.end if work.left else work.done.end)
