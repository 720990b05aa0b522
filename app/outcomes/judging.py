"""What became of a machine's warnings, by the definitions of a model's card.

A failure is caught when any alert within its horizon came before it, and counts once; alerts without one, closer
together than the horizon, are one false warning. `ml.judging` counts judged time so, and a test holds the two
together; docs/decisions/ledger.md has what a ledger adds: findings, what is open, what nobody can know.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from app.orders.finding_rule import Outcome as Found
from app.outcomes.life import Alert, Ending, Event, Life, Reason, chains, endings, running

LOOKED = {Found.NOTHING_WRONG: Reason.NOTHING_WRONG, Found.SENSOR_FAULT: Reason.SENSOR_FAULT}


class Outcome(StrEnum):
    """`found`: a fault that no warning was in force for. `withdrawn`: what an entry rested on was taken back."""

    OPEN = "open"
    HIT = "hit"
    FALSE = "false"
    MISSED = "missed"
    FOUND = "found"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


class Subject(StrEnum):
    """What an entry is of: a warning, at its begin; or a failure or fault without one, at its time."""

    WARNING = "warning"
    FAILURE = "failure"


UNWARNED = {
    Reason.FAILED: (Outcome.MISSED, Reason.NOT_WARNED),
    Reason.FAULT_FOUND: (Outcome.FOUND, Reason.FOUND_UNWARNED),
}


@dataclass(frozen=True)
class Judgement:
    """`decided_at` is when what decided it happened, not when it was told; without a `model_id` none had spoken.

    `serviced`: somebody serviced the machine while the warning stood.
    """

    subject: Subject
    at: datetime
    outcome: Outcome
    reason: Reason
    decided_at: datetime | None = None
    model_id: int | None = None
    probability: float | None = None
    threshold: float | None = None
    horizon: timedelta | None = None
    event: Event | None = None
    work_order_id: int | None = None
    serviced: bool = False

    @property
    def lead_time_hours(self) -> float | None:
        if self.outcome is not Outcome.HIT or self.decided_at is None:
            return None
        return (self.decided_at - self.at) / timedelta(hours=1)


def judge(life: Life, given_up: datetime) -> list[Judgement]:
    """All entries of one machine by time. Where a horizon ended before `given_up`, nobody waits to see its end."""
    alerts = list(running(life))
    times = [alert.as_of for alert in alerts]
    entries: list[Judgement] = []
    begin, since = 0, None
    for ending in endings(life):
        end = bisect_right(times, ending.at)
        # What was scored only after an ending is hindsight: it warned nobody of it, and not wrongly either.
        warned = [alert for alert in alerts[begin:end] if alert.scored_at <= ending.at]
        entries += _ended(ending, warned, since, life)
        begin, since = end, ending.at
    entries += [_unfinished(chain, life, given_up) for chain in chains(alerts[begin:])]
    return sorted(entries, key=lambda entry: (entry.at, entry.subject))


def _ended(ending: Ending, alerts: Sequence[Alert], since: datetime | None, life: Life) -> Iterator[Judgement]:
    """`alerts` are those since the ending before, which was at `since`."""
    caught = [alert for alert in alerts if ending.catches and alert.until > ending.at]
    others = [alert for alert in alerts if not (ending.catches and alert.until > ending.at)]
    for chain in chains(others):
        yield _cut_off(chain, ending, life)
    if caught:
        yield _decided(caught[0], Outcome.HIT, ending)
    elif ending.catches:
        yield from _unwarned(ending, since, life)


def _cut_off(chain: Sequence[Alert], ending: Ending, life: Life) -> Judgement:
    first = chain[0]
    if first.until > ending.at:
        return _looked_at(chain, ending.at, life) or _decided(first, Outcome.UNKNOWN, ending)
    looked_at = _looked_at(chain, first.until, life)
    if looked_at is not None:
        return looked_at
    # Being taken away is no sign that it ran until then.
    taken_away = ending.reason is Reason.DECOMMISSIONED
    return _stopped(first) if taken_away and not _outlasted(first, life) else _false(chain, life)


def _unfinished(chain: Sequence[Alert], life: Life, given_up: datetime) -> Judgement:
    first = chain[0]
    looked_at = _looked_at(chain, first.until, life)
    if looked_at is not None:
        return looked_at
    if _outlasted(first, life):
        return _false(chain, life)
    return _stopped(first) if first.until <= given_up else _warning(first, Outcome.OPEN, Reason.UNDECIDED)


def _outlasted(first: Alert, life: Life) -> bool:
    return life.seen_until is not None and first.until <= life.seen_until


def _stopped(first: Alert) -> Judgement:
    return _decided(first, Outcome.UNKNOWN, Ending(first.until, Reason.STOPPED))


def _looked_at(chain: Sequence[Alert], limit: datetime, life: Life) -> Judgement | None:
    """False before its time, where somebody looked while it stood and found the machine well."""
    first = chain[0]
    for look in life.looks:
        if look.found in LOOKED and first.as_of <= look.at < limit:
            ending = Ending(look.at, LOOKED[look.found], work_order_id=look.work_order_id)
            return _decided(first, Outcome.FALSE, ending, serviced=_serviced(chain, life))
    return None


def _false(chain: Sequence[Alert], life: Life) -> Judgement:
    over = Ending(chain[0].until, Reason.HORIZON_OVER)
    return _decided(chain[0], Outcome.FALSE, over, serviced=_serviced(chain, life))


def _serviced(chain: Sequence[Alert], life: Life) -> bool:
    begin, end = chain[0].as_of, chain[-1].until
    return any(begin <= each.at < end and not each.looks for each in life.services)


def _unwarned(ending: Ending, since: datetime | None, life: Life) -> Iterator[Judgement]:
    """Missed, or of a fault found, where a model spoke within the horizon and since the ending before.

    Else unknown, but nothing where none ever did, or of a fault: it may not have been there yet.
    """
    said = life.said.get(ending.at)
    if said is None:
        return
    spoke = said.as_of + said.horizon > ending.at and (since is None or said.as_of > since)
    if not spoke and ending.reason is not Reason.FAILED:
        return
    outcome, reason = UNWARNED[ending.reason] if spoke else (Outcome.UNKNOWN, Reason.NOT_PREDICTED)
    yield Judgement(
        Subject.FAILURE,
        ending.at,
        outcome,
        reason,
        ending.at,
        said.model_id if spoke else None,
        horizon=said.horizon,
        event=ending.event,
        work_order_id=ending.work_order_id,
    )


def _decided(first: Alert, outcome: Outcome, ending: Ending, *, serviced: bool = False) -> Judgement:
    return _warning(
        first,
        outcome,
        ending.reason,
        decided_at=ending.at,
        event=ending.event,
        work_order_id=ending.work_order_id,
        serviced=serviced,
    )


def _warning(first: Alert, outcome: Outcome, reason: Reason, **more: Any) -> Judgement:
    return Judgement(
        Subject.WARNING,
        first.as_of,
        outcome,
        reason,
        model_id=first.model_id,
        probability=first.probability,
        threshold=first.threshold,
        horizon=first.horizon,
        **more,
    )
