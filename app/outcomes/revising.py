"""Which entries of the ledger need a new revision, and why, in one sentence for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.outcomes.judging import Judgement, Outcome, Subject
from app.outcomes.life import Life, Reason, Said

Key = tuple[Subject, datetime]

WORDS = {
    Reason.UNDECIDED: "The risk crossed the threshold.",
    Reason.FAILED: "The machine failed on {at}{told}.",
    Reason.FAULT_FOUND: "Work order {order} found a fault.",
    Reason.NOTHING_WRONG: "Work order {order} found nothing wrong.",
    Reason.SENSOR_FAULT: "Work order {order} found a sensor at fault.",
    Reason.HORIZON_OVER: "The horizon ended on {at}, and the machine had not failed.",
    Reason.NOT_WARNED: "The machine failed on {at}{told}; no warning was in force.",
    Reason.FOUND_UNWARNED: "Work order {order} found a fault; no warning was in force.",
    Reason.SERVICED: "The machine was serviced on {at}{told}: whether it would have failed, nobody can know.",
    Reason.DECOMMISSIONED: "The machine was decommissioned on {at}, before the horizon ended.",
    Reason.STOPPED: "The predictions stopped before the horizon ended.",
    Reason.NOT_PREDICTED: "The machine failed on {at}{told}; nothing usable was predicted of it.",
}
SPENT = " It was serviced while the warning stood."
TAKEN_BACK = "Nothing is left that this entry rests on."


@dataclass(frozen=True)
class Entry:
    """The newest revision of an entry, as it is kept; `predicted_until` as the machine was known then."""

    subject: Subject
    at: datetime
    revision: int
    outcome: Outcome
    reason: Reason
    decided_at: datetime | None
    model_id: int | None
    horizon_hours: float | None
    event_id: int | None
    work_order_id: int | None
    serviced: bool
    predicted_until: datetime | None

    @property
    def key(self) -> Key:
        return self.subject, self.at


@dataclass(frozen=True)
class Withdrawal:
    """Of an event that was recorded and was not so."""

    kind: str
    at: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Revision:
    judgement: Judgement
    number: int
    because: str


def remembering(life: Life, entries: Sequence[Entry]) -> Life:
    """With what the ledger knew from predictions that were dropped since: what was decided stays so."""
    said = {each.at: _said(each) for each in entries if each.subject is Subject.FAILURE}
    missed = {each.at: said[each.at] for each in entries if each.outcome in (Outcome.MISSED, Outcome.FOUND)}
    ends = (life.predicted_until, *(each.predicted_until for each in entries))
    until = max((each for each in ends if each is not None), default=None)
    return replace(life, said={**said, **life.said, **missed}, predicted_until=until)


def _said(entry: Entry) -> Said:
    horizon = timedelta(hours=entry.horizon_hours or 0.0)
    if entry.model_id is None:
        return Said(entry.at - horizon, 0, horizon)
    return Said(entry.at, entry.model_id, horizon)


def revisions(
    entries: Sequence[Entry], judgements: Sequence[Judgement], withdrawn: Mapping[int, Withdrawal]
) -> Iterator[Revision]:
    """What to add, nothing where all is as it was. `withdrawn` is by the event's number."""
    kept = {entry.key: entry for entry in entries}
    for judgement in judgements:
        entry = kept.pop((judgement.subject, judgement.at), None)
        if entry is None or not _same(entry, judgement):
            because = _withdrawal(entry, withdrawn) + because_of(judgement)
            yield Revision(judgement, entry.revision + 1 if entry else 1, because)
    for entry in kept.values():
        if entry.outcome is not Outcome.WITHDRAWN:
            gone = Judgement(entry.subject, entry.at, Outcome.WITHDRAWN, Reason.TAKEN_BACK, model_id=entry.model_id)
            yield Revision(gone, entry.revision + 1, _withdrawal(entry, withdrawn) + TAKEN_BACK)


def _same(entry: Entry, judgement: Judgement) -> bool:
    """Whether nothing of what was judged differs; what things cost may change without a word."""
    event_id = judgement.event.id if judgement.event else None
    return (entry.outcome, entry.reason, entry.decided_at, entry.event_id, entry.work_order_id, entry.serviced) == (
        judgement.outcome, judgement.reason, judgement.decided_at, event_id, judgement.work_order_id,
        judgement.serviced,
    )  # fmt: skip


def _withdrawal(entry: Entry | None, withdrawn: Mapping[int, Withdrawal]) -> str:
    found = withdrawn.get(entry.event_id) if entry and entry.event_id is not None else None
    return f"{found.by} withdrew the {found.kind} of {_time(found.at)}: {found.why} " if found else ""


def because_of(judgement: Judgement) -> str:
    event, at = judgement.event, judgement.decided_at
    recorded_at = event.recorded_at if event else None
    said = WORDS[judgement.reason].format(
        at=_time(at) if at else "",
        told=f" (recorded on {_time(recorded_at)})" if recorded_at else "",
        order=judgement.work_order_id,
    )
    return said + SPENT if judgement.serviced else said


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
