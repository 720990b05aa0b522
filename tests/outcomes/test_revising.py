"""Only what was judged anew becomes a revision, and it says why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from factories import at

from app.orders.finding_rule import Outcome as Found
from app.outcomes.judging import Judgement, Outcome, Subject, judge
from app.outcomes.life import Alert, Event, Life, Look, Reason, Said
from app.outcomes.money import Costs, Money, money_of
from app.outcomes.revising import Entry, Withdrawal, remembering, revisions
from app.outcomes.shares import share

BEGIN, HOUR = at("2026-11-01 00:00"), timedelta(hours=1)
LATER = BEGIN + 999 * HOUR
ALERT = Alert(BEGIN, 168 * HOUR, 3, 0.4, 0.15, BEGIN)
FAILURE = Event(7, BEGIN + 50 * HOUR, recorded_at=BEGIN + 60 * HOUR)
WITHDRAWN = {7: Withdrawal("failure", FAILURE.at, "person Pia", "It was another machine {x}.")}


def kept(judgement: Judgement, revision: int = 1, predicted_until: datetime | None = None) -> Entry:
    return Entry(
        judgement.subject, judgement.at, revision, judgement.outcome, judgement.reason, judgement.decided_at,
        judgement.model_id, 168.0, judgement.event.id if judgement.event else None, judgement.work_order_id,
        judgement.serviced, predicted_until,
    )  # fmt: skip


def entries_of(life: Life) -> list[Entry]:
    return [kept(each, predicted_until=life.predicted_until) for each in judge(life, LATER)]


def test_the_first_revision_says_what_happened_and_when_it_was_told():
    (first,) = revisions([], judge(Life([ALERT], [FAILURE]), LATER), {})
    assert (first.number, first.judgement.outcome) == (1, Outcome.HIT)
    assert first.because == "The machine failed on 2026-11-03 02:00 UTC (recorded on 2026-11-03 12:00 UTC)."


def test_nothing_new_is_no_revision():
    life = Life([ALERT], [FAILURE])
    assert list(revisions(entries_of(life), judge(life, LATER), {})) == []


def test_a_withdrawn_failure_is_named_and_an_entry_without_ground_is_taken_back_once():
    said = {FAILURE.at: Said(BEGIN, 3, 168 * HOUR)}
    (gone,) = revisions(entries_of(Life(failures=[FAILURE], said=said)), [], WITHDRAWN)
    assert (gone.judgement.outcome, gone.number) == (Outcome.WITHDRAWN, 2)
    assert gone.because == (
        "person Pia withdrew the failure of 2026-11-03 02:00 UTC: It was another machine {x}. "
        "Nothing is left that this entry rests on."
    )
    assert list(revisions([kept(gone.judgement, 2)], [], WITHDRAWN)) == []


def test_an_entry_that_was_taken_back_may_come_again():
    gone = Judgement(Subject.WARNING, BEGIN, Outcome.WITHDRAWN, Reason.TAKEN_BACK)
    (again,) = revisions([kept(gone, 4)], judge(Life([ALERT], [FAILURE]), LATER), {})
    assert (again.number, again.judgement.outcome) == (5, Outcome.HIT)


def test_an_order_that_explains_the_failure_later_is_a_revision_with_its_number():
    before, after = Life([ALERT], [FAILURE]), Life([ALERT], [FAILURE], looks=[Look(FAILURE.at, Found.FAILED, 12)])
    (new,) = revisions(entries_of(before), judge(after, LATER), {})
    assert (new.judgement.work_order_id, new.number) == (12, 2)


@pytest.mark.parametrize("spoke", [1, 200])
def test_a_miss_stays_what_it_was_when_the_predictions_are_gone(spoke):
    life = Life(failures=[FAILURE], said={FAILURE.at: Said(FAILURE.at - spoke * HOUR, 3, 168 * HOUR)})
    forgotten = remembering(Life(failures=[FAILURE]), entries_of(life))
    assert list(revisions(entries_of(life), judge(forgotten, LATER), {})) == []


def test_a_miss_outlasts_an_old_prediction_that_a_plan_kept():
    life = Life(failures=[FAILURE], said={FAILURE.at: Said(FAILURE.at - HOUR, 3, 168 * HOUR)})
    old = Life(failures=[FAILURE], said={FAILURE.at: Said(FAILURE.at - 200 * HOUR, 3, 168 * HOUR)})
    assert list(revisions(entries_of(life), judge(remembering(old, entries_of(life)), LATER), {})) == []
    (new,) = revisions(entries_of(old), judge(remembering(life, entries_of(old)), LATER), {})
    assert new.judgement.outcome is Outcome.MISSED


def test_the_end_of_a_horizon_stays_seen_when_the_predictions_are_gone():
    life = Life([ALERT], predicted_until=LATER)
    forgotten = remembering(Life([ALERT]), entries_of(life))
    assert list(revisions(entries_of(life), judge(forgotten, LATER), {})) == []


@pytest.mark.parametrize(
    ("outcome", "reason", "serviced", "money"),
    [
        (Outcome.HIT, Reason.FAULT_FOUND, False, Money(saved=4300)),
        (Outcome.HIT, Reason.FAILED, False, Money(lost=5000)),
        (Outcome.MISSED, Reason.NOT_WARNED, False, Money(lost=5000)),
        (Outcome.FALSE, Reason.HORIZON_OVER, True, Money(spent=700)),
        (Outcome.FALSE, Reason.SENSOR_FAULT, False, Money(spent=100)),
        (Outcome.UNKNOWN, Reason.NOT_PREDICTED, False, Money()),
        (Outcome.OPEN, Reason.UNDECIDED, True, Money()),
    ],
)
def test_what_an_outcome_was_worth(outcome, reason, serviced, money):
    entry = Judgement(Subject.WARNING, BEGIN, outcome, reason, serviced=serviced)
    assert money_of(entry, Costs(preventive=700, failure=5000, look=100)) == money


def test_few_are_told_as_a_count_and_enough_as_a_rate_with_wilsons_interval():
    assert share(3, 4).rate is None
    assert share(0, 0).rate is None
    enough = share(8, 10)
    # Wilson's 90 % interval of 8 of 10, worked out by hand: (0.8 + z²/20 ± z √(0.016 + z²/400)) / (1 + z²/10).
    assert (round(enough.low, 3), round(enough.high, 3)) == (0.541, 0.931)
    assert (share(10, 10).high, share(0, 10).low) == (1.0, 0.0)
    assert 0.7 < share(10, 10).low < 1
