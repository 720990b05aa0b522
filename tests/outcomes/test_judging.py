"""What became of warnings: each outcome, the boundaries, late events, and the same counts as a model's card."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from factories import at
from hypothesis import given
from hypothesis import strategies as st

from app.orders.finding_rule import Outcome as Found
from app.outcomes.judging import Outcome, Subject, judge
from app.outcomes.life import Alert, Event, Life, Look, Reason, Said
from app.outcomes.money import Costs, Money, money_of
from ml.judging import Judged, alert_figures, leads

BEGIN = at("2026-11-01 00:00")
HORIZON, HOUR = timedelta(days=7), timedelta(hours=1)
LATER = BEGIN + timedelta(days=400)


def hour(hours: float) -> datetime:
    return BEGIN + hours * HOUR


def alerts(*hours: float) -> list[Alert]:
    return [Alert(hour(each), HORIZON, 3, 0.4, 0.15, hour(each)) for each in hours]


def event(hours: float, lasted: float | None = None, **kind: bool) -> Event:
    return Event(int(hours * 10), hour(hours), None if lasted is None else hour(hours + lasted), **kind)


def renewal(hours: float) -> Event:
    return event(hours, renews=True)


def said(hours: float, before: float = 1) -> dict[datetime, Said]:
    """The model spoke so many hours before a failure."""
    return {hour(hours): Said(hour(hours - before), 3, HORIZON)}


def judged(life: Life, now: float | None = None) -> list[tuple[str, str, float]]:
    """Outcome, reason and the hour of the begin; by default long afterwards, and predictions went on."""
    if now is None:
        life = replace(life, predicted_until=life.predicted_until or LATER)
    entries = judge(life, LATER if now is None else hour(now))
    return [(entry.outcome, entry.reason, (entry.at - BEGIN) / HOUR) for entry in entries]


def one(life: Life, now: float | None = None):
    (entry,) = judge(life if now else replace(life, predicted_until=LATER), LATER if now is None else hour(now))
    return entry


def test_alerts_without_end_are_one_warning_and_it_is_open():
    life = Life(alerts(*range(100)), predicted_until=hour(99))
    assert judged(life, now=100) == [("open", "undecided", 0)]


def test_a_failure_within_the_horizon_is_a_hit_with_the_time_since_the_warning_began():
    entry = one(Life(alerts(0, 1, 2, 50), [event(60)]))
    assert (entry.outcome, entry.reason, entry.lead_time_hours) == (Outcome.HIT, Reason.FAILED, 60)
    assert (entry.model_id, entry.threshold, entry.event.id) == (3, 0.15, 600)


@pytest.mark.parametrize(("failed", "outcome"), [(0, "hit"), (167.99, "hit"), (168, "false"), (168.01, "false")])
def test_a_horizon_holds_its_begin_and_not_its_end(failed, outcome):
    found = judged(Life(alerts(0), [event(failed)], said=said(failed)))
    assert found[0][0] == outcome
    assert [each[0] for each in found[1:]] == (["missed"] if outcome == "false" else [])


def test_nothing_is_decided_before_the_horizon_is_over_and_somebody_saw_its_end():
    life = Life(alerts(0))
    assert judged(replace(life, predicted_until=hour(167)), now=167) == [("open", "undecided", 0)]
    assert judged(replace(life, predicted_until=hour(168)), now=165) == [("false", "horizon_over", 0)]
    assert judged(replace(life, predicted_until=hour(100)), now=168) == [("unknown", "predictions_stopped", 0)]


def test_a_machine_that_comes_back_after_the_horizon_had_not_failed():
    silent = Life(alerts(0), predicted_until=hour(20))
    assert judged(silent, now=500)[0][0] == "unknown"
    assert judged(replace(silent, predicted_until=hour(490)), now=500) == [("false", "horizon_over", 0)]
    assert judged(replace(silent, services=[event(400, looks=True)]), now=500)[0][0] == "false"


def test_what_was_scored_only_after_the_machine_ended_warned_nobody_and_not_wrongly():
    late = replace(alerts(10)[0], scored_at=hour(10.9))
    assert judged(Life([late], [event(10.2)], said=said(10.2))) == [("missed", "not_warned", 10.2)]
    assert judged(Life([late], [event(10.9)])) == [("hit", "failed", 10)]
    assert judged(Life([*alerts(9), late], [event(10.2)])) == [("hit", "failed", 9)]
    assert judged(Life([late], services=[renewal(10.2)])) == []


def test_flapping_is_one_warning_and_silence_longer_than_a_horizon_begins_another():
    assert judged(Life(alerts(0, 50, 51, 218))) == [("false", "horizon_over", 0)]
    assert [each[2] for each in judged(Life(alerts(0, 168)))] == [0]
    assert [each[2] for each in judged(Life(alerts(0, 169)))] == [0, 169]


def test_a_warning_that_went_on_too_early_is_false_and_what_it_said_last_is_a_hit():
    found = judge(Life(alerts(*range(400)), [event(400)]), LATER)
    assert [(each.outcome, (each.at - BEGIN) / HOUR) for each in found] == [("false", 0), ("hit", 233)]
    assert found[1].lead_time_hours == 167


def test_a_failure_without_a_warning_is_missed_by_the_model_that_spoke_last():
    (entry,) = judge(Life(failures=[event(50)], said=said(50)), LATER)
    assert (entry.outcome, entry.subject, entry.model_id) == (Outcome.MISSED, Subject.FAILURE, 3)
    assert (entry.at, entry.lead_time_hours) == (hour(50), None)


def test_a_failure_of_which_nobody_spoke_is_nobodys_miss():
    assert judged(Life(failures=[event(500)], said=said(500, before=168))) == [("unknown", "not_predicted", 500)]
    assert judged(Life(failures=[event(500)])) == []
    twice = Life(failures=[event(499), event(500)], said=said(499) | {hour(500): Said(hour(498), 3, HORIZON)})
    assert [each[0] for each in judged(twice)] == ["missed", "unknown"]


def test_a_fault_found_without_a_warning_is_no_missed_failure():
    found = Life(looks=[Look(hour(50), Found.FAULT_FOUND, 9)], said=said(50))
    (entry,) = judge(found, LATER)
    assert (entry.outcome, entry.reason, entry.subject, entry.work_order_id) == (
        Outcome.FOUND, Reason.FOUND_UNWARNED, Subject.FAILURE, 9,
    )  # fmt: skip
    assert (entry.at, entry.model_id, money_of(entry, Costs(700, 5000, 100))) == (hour(50), 3, Money())
    assert judged(replace(found, failures=[event(50)])) == [("missed", "not_warned", 50)]
    assert judged(replace(found, alerts=alerts(49))) == [("hit", "fault_found", 49)]


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"said": said(50, before=168)},
        {"said": said(50), "decommissioned_at": hour(49)},
        {"said": said(50), "services": [renewal(49.5)]},
    ],
)
def test_a_fault_found_of_which_no_model_could_have_spoken_is_no_entry(known):
    assert judged(Life(looks=[Look(hour(50), Found.FAULT_FOUND, 9)], **known)) == []


def test_what_is_found_while_a_machine_stands_with_a_failure_is_that_failure():
    looks = [Look(hour(50), Found.FAULT_FOUND, 9)]
    life = Life(alerts(0), [event(40, lasted=20)], looks=looks, said=said(50, before=11))
    assert judged(life) == [("hit", "failed", 0)]


def test_components_that_fail_together_are_one_failure_and_its_repair_is_no_service():
    both = [event(50), replace(event(50), id=7)]
    assert judged(Life(alerts(0), both, [renewal(50)])) == [("hit", "failed", 0)]


def test_a_service_of_the_whole_machine_leaves_it_unknown_and_one_of_a_component_does_not():
    assert judged(Life(alerts(0, 1), services=[renewal(20)])) == [("unknown", "serviced", 0)]
    assert judged(Life(alerts(0), services=[event(20)])) == [("false", "horizon_over", 0)]
    assert judged(Life(alerts(0), services=[renewal(168)])) == [("false", "horizon_over", 0)]
    assert judged(Life(alerts(0), [event(100)], [renewal(20)], said=said(100)))[0] == ("unknown", "serviced", 0)


def test_what_is_said_after_a_service_is_another_warning():
    life = Life(alerts(0, 30), [event(60)], [renewal(20)])
    assert judged(life) == [("unknown", "serviced", 0), ("hit", "failed", 30)]


def test_nothing_is_said_of_a_machine_that_stands_or_is_gone():
    assert judged(Life(alerts(0, 51, 55), [event(50, lasted=6)])) == [("hit", "failed", 0)]
    assert judged(Life(alerts(0, 51, 56), [event(50, lasted=6)]))[1] == ("false", "horizon_over", 56)
    assert judged(Life(alerts(50), [event(50, lasted=6)])) == [("hit", "failed", 50)]
    assert judged(Life(alerts(0, 90), decommissioned_at=hour(90))) == [("unknown", "decommissioned", 0)]
    gone = Life(failures=[event(95)], said=said(95), decommissioned_at=hour(90))
    assert judged(gone) == []


def test_a_failure_told_of_a_machine_that_lay_down_already_is_the_same_failure():
    life = Life(alerts(0), [event(50, lasted=6), event(53), event(55.9, lasted=9), event(60)])
    assert judged(replace(life, said=said(53))) == [("hit", "failed", 0)]
    again = replace(life, failures=[*life.failures[:2], event(56)], said=said(56, before=0))
    assert [each[0] for each in judged(again)] == ["hit", "missed"]


def test_a_visit_within_a_longer_one_does_not_end_it():
    services = [event(10, lasted=40), event(12, lasted=1)]
    assert judged(Life(alerts(30), services=services)) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Found.FAULT_FOUND, ("hit", "fault_found", 0)),
        (Found.NOTHING_WRONG, ("false", "nothing_wrong", 0)),
        (Found.SENSOR_FAULT, ("false", "sensor_fault", 0)),
        (Found.ROUTINE, ("false", "horizon_over", 0)),
    ],
)
def test_what_an_order_found_decides(found, expected):
    entry = one(Life(alerts(0, 1), services=[event(20)], looks=[Look(hour(20), found, 12)]))
    assert (entry.outcome, entry.reason, (entry.at - BEGIN) / HOUR) == expected
    assert entry.work_order_id == (None if found is Found.ROUTINE else 12)


def test_a_fault_found_is_a_hit_although_it_was_renewed_with_the_same_visit():
    life = Life(alerts(0), services=[renewal(20)], looks=[Look(hour(20), Found.FAULT_FOUND, 12)])
    assert one(life).lead_time_hours == 20


def test_a_fault_found_without_a_warning_is_no_entry():
    assert judged(Life(services=[renewal(20)], looks=[Look(hour(20), Found.FAULT_FOUND, 12)])) == []


def test_a_failure_after_nothing_was_found_wrong_is_a_hit_all_the_same():
    look = Look(hour(20), Found.NOTHING_WRONG, 12)
    assert judged(Life(alerts(0), [event(90)], looks=[look])) == [("hit", "failed", 0)]


def test_a_look_before_or_after_a_warning_says_nothing_of_it():
    for looked in (-1, 168):
        assert one(Life(alerts(0), looks=[Look(hour(looked), Found.NOTHING_WRONG, 1)])).reason == "horizon_over"
    assert one(Life(alerts(0), looks=[Look(hour(0), Found.NOTHING_WRONG, 1)])).reason == "nothing_wrong"


def test_a_look_decides_before_the_service_that_followed():
    life = Life(alerts(0), services=[renewal(40)], looks=[Look(hour(20), Found.NOTHING_WRONG, 1)])
    assert judged(life) == [("false", "nothing_wrong", 0)]


def test_a_false_warning_knows_whether_somebody_serviced_for_it():
    assert one(Life(alerts(0), services=[event(20)])).serviced
    assert not one(Life(alerts(0), services=[event(20, looks=True)])).serviced
    assert not one(Life(alerts(0), services=[event(168)])).serviced


def test_a_service_late_in_a_long_warning_was_spent_on_it():
    long = alerts(*range(401))
    assert one(Life(long, services=[event(567)])).serviced
    assert not one(Life(long, services=[event(568)])).serviced
    assert judge(Life(long, [event(400.5)], [event(200)]), LATER)[0].serviced


def test_being_taken_away_long_after_the_predictions_stopped_proves_nothing_false():
    silent = Life(alerts(0), predicted_until=hour(20), decommissioned_at=hour(400))
    assert judged(silent, now=500) == [("unknown", "predictions_stopped", 0)]
    assert judged(replace(silent, predicted_until=hour(170)), now=500) == [("false", "horizon_over", 0)]
    looked = replace(silent, looks=[Look(hour(30), Found.NOTHING_WRONG, 12)])
    assert judged(looked, now=500) == [("false", "nothing_wrong", 0)]


def test_each_alert_keeps_the_horizon_of_its_own_model():
    short = replace(alerts(0)[0], horizon=timedelta(days=1))
    assert judged(Life([short], [event(30)], said=said(30)))[0] == ("false", "horizon_over", 0)
    assert judged(Life([short, *alerts(2)], [event(30)])) == [("false", "horizon_over", 0), ("hit", "failed", 2)]


def test_nothing_at_all_is_no_entry():
    assert judge(Life(), LATER) == []


HOURS = st.lists(st.integers(0, 1500), max_size=60, unique=True).map(sorted)
FAILED = st.dictionaries(
    st.integers(1, 1500).map(lambda each: each + 0.5),
    st.none() | st.integers(0, 60).map(lambda each: each / 2),
    max_size=6,
)


@given(HOURS, FAILED)
def test_the_ledger_counts_as_the_card_does(warned, lasted):
    """A year of hourly moments of one machine; the card judges those at which it ran."""
    failed = sorted(lasted)
    stands = [(each, each + lasted[each]) for each in failed if lasted[each] is not None]
    as_of = np.array([each for each in range(1501) if not any(begin < each < end for begin, end in stands)], float)
    life = Life(alerts(*warned), [event(each, lasted[each]) for each in failed], predicted_until=LATER)
    spoke = {each: as_of[as_of <= each].max() for each in failed}
    life = replace(life, said={hour(each): Said(hour(spoke[each]), 3, HORIZON) for each in failed})
    entries = judge(life, LATER)
    upcoming = np.searchsorted(failed, as_of) if failed else np.zeros(len(as_of), int)
    to_failure = np.append(failed, np.inf)[upcoming] - as_of
    truth = to_failure < HORIZON / HOUR
    case = Judged(
        np.arange(len(as_of)), truth, np.ones(len(as_of)), np.zeros(len(as_of), int), as_of,
        np.where(truth, upcoming, -1), to_failure, HORIZON / HOUR,
    )  # fmt: skip
    alert = np.isin(as_of, warned)
    figures = alert_figures(alert, case)
    told = [entry.outcome for entry in entries]
    assert told.count("hit") == figures["failures_caught"]
    assert told.count("hit") + told.count("missed") == figures["failures"]
    assert told.count("false") == figures["false_alarms"]
    promised = sorted(lead for lead in leads(alert, case) if np.isfinite(lead))
    assert sorted(entry.lead_time_hours for entry in entries if entry.outcome == "hit") == promised
