"""The closed loop: what policies see and cannot see, crews that do one thing at a time, hours that add up."""

from __future__ import annotations

import gc
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from types import FunctionType, ModuleType

import numpy as np
import pytest

from app.risk.curve import make_curve
from bench.loop.asking import RiskiestFirst, Wearwatch
from bench.loop.asking import lived as lived_through
from bench.loop.diary import BEGINS, DAY, ENDS, Diary, Order, works
from bench.loop.knowing import Known, Learnt
from bench.loop.life import FIRST_DAY, Plant, lived, lost_hours, repair_hours
from bench.loop.rules import FixedInterval, RunToFailure, VibrationLimit, renewed_at
from ml.simulate.chance import Chance
from ml.simulate.roster import Roster
from ml.simulate.state import FleetState
from ml.simulate.wear import Wear

HORIZONS = (24.0, 72.0, 168.0, 336.0, 720.0)
SATURDAY = FIRST_DAY + 5 * DAY
SAFE, WORN = (1e-5, 3e-5, 7e-5, 1.4e-4, 3e-4), (0.1, 0.3, 0.6, 0.9, 0.99)


@pytest.fixture(scope="module")
def plant() -> Plant:
    lived_on = Plant.new(6, seed=3)
    lived_on.live_as_before(20)
    return lived_on


def known(worn) -> Known:
    """Of six machines these are worn."""
    return Known([make_curve(HORIZONS, WORN if number in worn else SAFE) for number in range(6)], [""] * 6)


def test_a_model_goes_to_other_processes_as_the_parts_that_are_kept():
    learnt = Learnt({"fitted.json": b"{}"}, (), HORIZONS, ("wear",), datetime(2026, 1, 1, tzinfo=UTC))
    learnt._opened = lambda: "what was opened cannot be pickled"
    assert pickle.loads(pickle.dumps(learnt)) == learnt


def test_nothing_hidden_can_be_reached_from_what_a_policy_is_given(plant):
    hidden = (FleetState, Wear, Roster, Chance, np.random.Generator, Plant)
    waiting, met = [plant.seen, Diary(1)], set()
    while waiting:
        each = waiting.pop()
        assert not isinstance(each, hidden)
        for referred in gc.get_referents(each):
            if not isinstance(referred, type | ModuleType | FunctionType) and id(referred) not in met:
                met.add(id(referred))
                waiting.append(referred)
    assert len(met) > 100


def test_events_are_told_once_they_began_and_their_end_once_it_came(plant):
    going_on, told = plant.copy(), []
    for _ in range(24 * 60):
        going_on.hour([])
        told = going_on.seen.events()
        assert all(each.started_at < going_on.seen.now for each in told)
        assert all(each.ended_at is None or each.ended_at < going_on.seen.now for each in told)
    assert any(each.kind == "failure" for each in told)


def test_what_a_policy_asked_for_itself_changes_nothing_for_others(plant):
    before = plant.seen.last("vibration_mm_s", 24)
    plant.seen.last("vibration_mm_s", 24)[:] = 99.0
    np.testing.assert_array_equal(plant.seen.last("vibration_mm_s", 24), before)


def test_run_to_failure_is_the_plant_left_to_itself(plant):
    left, policy = plant.copy(), plant.copy()
    failed = [each for _ in range(24 * 30) for each in left.hour([]) if each.kind == "failure"]
    ledger = lived(policy, RunToFailure(), 1, 30)
    assert ledger.failures.sum() == len(failed)
    assert ledger.services.sum() == 0
    np.testing.assert_array_equal(left.state.wear.damage, policy.state.wear.damage)


def test_the_same_policy_gives_the_same_life_and_another_another(plant):
    one, again, other = (plant.copy() for _ in range(3))
    ledgers = [lived(each, FixedInterval(days), 1, 40) for each, days in ((one, 15), (again, 15), (other, 30))]
    assert ledgers[0].stops == ledgers[1].stops != ledgers[2].stops
    np.testing.assert_array_equal(one.seen.last("current_a", 100), again.seen.last("current_a", 100))


def test_machines_that_nobody_touched_live_as_they_would_have_under_any_policy(plant):
    class Only:
        def orders(self, seen, diary):
            return [] if seen.now > FIRST_DAY + 22 * DAY or diary.ordered else [Order(4, FIRST_DAY + 22 * DAY, 0)]

    touched, untouched = plant.copy(), plant.copy()
    lived(touched, Only(), 1, 30)
    lived(untouched, RunToFailure(), 1, 30)
    same = (touched.state.wear.damage == untouched.state.wear.damage).all(axis=1)
    assert same.tolist() == [True, True, True, True, False, True]


def test_crews_do_one_service_a_weekday_however_much_is_asked_for(plant):
    ledger = lived(plant.copy(), FixedInterval(0), 1, 60)
    visits = [(start, end) for _, start, end in ledger.stops if end - start == ENDS - BEGINS]
    assert len(visits) == ledger.services.sum() > 25
    assert len({start for start, _ in visits}) == len(visits)
    assert all(works(start // DAY * DAY) and start % DAY == BEGINS for start, _ in visits)


@pytest.mark.parametrize(
    "order", [Order(0, SATURDAY, 0), Order(0, FIRST_DAY, 1), Order(1, FIRST_DAY + DAY, 0), Order(0, FIRST_DAY, -1)]
)
def test_orders_for_nobody_or_twice_are_refused(order):
    diary = Diary(1, {(0, FIRST_DAY + DAY): 1})
    with pytest.raises(ValueError, match="crew"):
        diary.accept(order)


def test_downtime_adds_up_from_stops_that_never_overlap(plant):
    later = plant.copy()
    ledger = lived(later, FixedInterval(20), 1, 120)
    by_machine = {number: sorted(s[1:] for s in ledger.stops if s[0] == number) for number in range(6)}
    for stops in by_machine.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(stops))
    figures = ledger.figures(later, 120 / 365)
    lost = [sum(lost_hours(later, number, *stop) for stop in stops) for number, stops in by_machine.items()]
    assert figures["downtime h"] * 6 * 120 / 365 == pytest.approx(sum(lost))
    costs = later.seen.machines
    paid = ledger.failures @ costs["failure_cost"] + ledger.services @ costs["preventive_cost"]
    paid += np.array(lost) @ costs["downtime_cost_per_hour"]
    assert figures["cost"] * 6 * 120 / 365 == pytest.approx(paid)
    assert figures["failures"] > 0 < figures["services"]


def test_a_night_off_loses_no_production(plant):
    press, pump = (plant.seen.machines["asset_class"].tolist().index(kind) for kind in ("press", "pump"))
    assert lost_hours(plant, press, FIRST_DAY, FIRST_DAY + DAY) == pytest.approx(16)
    assert lost_hours(plant, press, SATURDAY + DAY, SATURDAY + 2 * DAY) == 0
    assert lost_hours(plant, pump, SATURDAY, SATURDAY + 2 * DAY) == pytest.approx(48)


def test_a_fixed_interval_goes_by_the_oldest_part_or_by_any(plant):
    renewed = renewed_at(plant.seen)
    age_days = (plant.seen.now - renewed) / DAY
    after = np.median(age_days.min(axis=1))
    by_any = FixedInterval(after, since_any=True).orders(plant.seen, Diary(1))
    assert {each.machine for each in by_any} == set(np.flatnonzero(age_days.min(axis=1) >= after).tolist())
    assert len(FixedInterval(after).orders(plant.seen, Diary(1))) > len(by_any)


def test_a_vibration_limit_is_no_alarm_at_a_spike_and_one_after_hours(plant):
    def with_vibration(hours):
        shaken = plant.copy()
        shaken.seen._values[shaken.seen._steps - hours : shaken.seen._steps, 5, 1] = 30.0
        return [each.machine for each in VibrationLimit("C/D").orders(shaken.seen, Diary(1))]

    assert 5 not in with_vibration(2)
    assert with_vibration(8)[0] == 5


def test_the_riskiest_come_first_and_keep_the_morning_they_got(plant):
    policy, diary = RiskiestFirst(lambda seen: known({1, 4}), 0.2), Diary(1)
    first = policy.orders(plant.seen, diary)
    assert {each.machine for each in first} == {1, 4}
    for each in first:
        diary.accept(each)
    assert policy.orders(plant.seen, diary) == []


def test_wearwatch_orders_the_worn_machines_by_its_plan_and_leaves_what_is_accepted(plant):
    policy = Wearwatch(lambda seen: known({0, 2, 5}), {"press": 12.0, "pump": 12.0})
    later, diary = plant.copy(), Diary(1)
    ordered = []
    for _ in range(7):
        orders = policy.orders(later.seen, diary)
        for each in orders:
            diary.accept(each)
            assert each.day + BEGINS < later.seen.now + 2 * DAY
        ordered += orders
        for _ in range(24):
            later.hour([])
    assert sorted(each.machine for each in ordered) == [0, 2, 5]


def test_a_machine_without_a_risk_is_never_ordered(plant):
    unknown = replace(known({0}), curves=[None] * 6, unknown=["no reading yet"] * 6)
    assert Wearwatch(lambda seen: unknown, {}).orders(plant.seen, Diary(1)) == []
    assert RiskiestFirst(lambda seen: unknown, 0.0).orders(plant.seen, Diary(1)) == []


def test_repairs_are_no_planned_services_and_visits_are(plant):
    for policy in (RunToFailure(), FixedInterval(20)):
        later = plant.copy()
        before = lived_through(later.seen)
        ledger = lived(later, policy, 1, 100)
        after = lived_through(later.seen)
        assert after.failures - before.failures == ledger.failures.sum()
        assert after.services - before.services == ledger.services.sum()


def test_repair_hours_are_those_told_by_class(plant):
    later = plant.copy()
    lived(later, RunToFailure(), 1, 120)
    told = repair_hours(later)
    assert set(told) <= {"press", "conveyor", "pump", "fan"}
    assert all(3 < hours < 25 for hours in told.values())
