"""Schedules of small plants: nothing broken, pins kept, never dearer than greedy, and what is infeasible named."""

from __future__ import annotations

import itertools
import time

import numpy as np
from hypothesis import given, settings
from made_plant import DAY, broken, crew, job, night, plant, plants

from app.planning.choices import NONE
from app.planning.framing import framed
from app.planning.greedy import by_risk
from app.planning.problem import Line, Part, Pin, Setup
from bench.plants import plant as large_plant
from ml.planning import scheduler
from ml.planning.prices import Relaxed
from ml.planning.scheduler import schedule, without_search

drawn = settings(max_examples=60, deadline=None)


def unpinned(problem, found):
    return [each for each in found.services if not each.pinned]


@drawn
@given(plants())
def test_no_schedule_breaks_a_constraint_but_by_pins_which_it_then_names(problem):
    found = schedule(problem, 5)
    said = broken(problem, found.services)
    assert {*said} <= {*broken(problem, [each for each in found.services if each.pinned])}
    assert found.objections or not said


@drawn
@given(plants())
def test_every_machine_is_planned_or_left_out_with_a_reason(problem):
    found = schedule(problem, 5)
    machines = [each.machine for each in (*found.services, *found.left_out)]
    assert sorted(machines) == sorted(each.machine for each in problem.jobs)
    assert all(each.reason.endswith(".") for each in (*found.services, *found.left_out))


@drawn
@given(plants())
def test_pins_stay_where_they_are_or_are_objected_to(problem):
    found = schedule(problem, 5)
    at = {each.machine: each for each in found.services}
    for pin in problem.pins:
        service = at.get(pin.machine)
        kept = service is not None and service.pinned and service.window == pin.window
        assert kept or any(pin.machine in said for said in found.objections)


@drawn
@given(plants(most_jobs=4))
def test_the_cost_of_a_small_plan_is_the_least_there_is(problem):
    asked = framed(problem)
    choices = asked.choices
    every = [range(choices.first[n], choices.first[n + 1]) for n in range(len(choices.left))]
    pinned = set(choices.job[choices.pinned].tolist())
    free = [[*each] if n in pinned else [NONE, *each] for n, each in enumerate(every)]
    if np.prod([len(each) for each in free], dtype=float) > 5000:
        return
    plans = (np.array(plan, np.int64) for plan in itertools.product(*free))
    least = min(choices.total(plan) for plan in plans if not choices.broken(plan))
    found = schedule(problem, 5)
    assert found.cost * 100 <= least * 1.002 + 1
    assert found.bound * 100 <= least + 1


@drawn
@given(plants())
def test_the_cost_is_never_above_greedys_nor_below_the_bound(problem):
    asked = framed(problem)
    greedy = by_risk(asked.choices, asked.prices.left_risk)
    found = schedule(problem, 5)
    assert found.bound <= found.cost <= asked.choices.total(greedy) / 100
    assert Relaxed(asked.pooled).bound(asked.choices.total(greedy)).cost <= found.cost * 100 + 1


@settings(max_examples=15, deadline=None)
@given(plants())
def test_the_same_input_gives_the_same_schedule(problem):
    assert schedule(problem, 5) == schedule(problem, 5)


def test_a_plant_searched_by_blocks_gets_the_same_schedule_again_and_breaks_nothing(monkeypatch):
    """Counted work ends the search, long before the clock does on the busiest machine."""
    monkeypatch.setattr(scheduler, "WORK_PER_SECOND", 0.01)
    problem = large_plant(400, 14, 14)
    assert len(framed(problem).choices) > 2 * scheduler.OPTIONS_A_BLOCK
    found = schedule(problem, 100)
    assert found == schedule(problem, 100)
    assert not broken(problem, found.services)
    assert found.cost < without_search(problem).cost


def test_a_short_time_gives_a_schedule_and_its_gap():
    problem = large_plant(600, 28, 6)
    start = time.process_time()
    found = schedule(problem, 0.5)
    assert time.process_time() - start < 3
    assert not broken(problem, found.services)
    assert 0 < found.gap < 0.1


def test_the_reason_tells_what_waiting_costs():
    found = schedule(plant(job()))
    assert found.services[0].reason == (
        "If you wait for the window of Fri 4 Dec: risk 1 → 20 %, expected extra cost €1,336. "
        "A failure costs €9,000, a service €800."
    )


def test_of_two_jobs_for_one_place_the_one_that_saves_more_gets_it_and_the_other_is_told():
    mild = job("mild", (0.05, 0.15, 0.4), minutes=300)
    found = schedule(plant(mild, job("worn", minutes=300), windows=[night(3)]))
    assert [each.machine for each in found.services] == ["worn"]
    assert "crew A's 8 h on Mon 30 Nov are taken by work that saves more" in found.left_out[0].reason


def test_jobs_that_share_a_set_up_are_grouped():
    jobs = [job(f"m{n}", setup="crane", minutes=120) for n in range(3)]
    windows = [night(day) for day in range(2, 7)]
    found = schedule(plant(*jobs, windows=windows, setups=[Setup("crane", 900)]))
    assert len({each.window for each in found.services}) == 1
    apart = schedule(plant(*jobs, windows=windows, lines=[Line("L1", 1)]))
    assert len({each.window for each in apart.services}) == 3


def test_a_plan_moves_only_for_more_than_the_price_of_moving():
    free, dear = (
        schedule(plant(job(proposed_window="night 14"), moving_cost=price)).services[0] for price in (0, 1e6)
    )
    assert (free.window, dear.window) == ("night 0", "night 14")


def test_parts_that_are_not_there_are_waited_for():
    parts = [Part("bearing", 1, 10 * DAY)]
    jobs = [job(f"m{n}", parts={"bearing": 1}, minutes=120) for n in range(2)]
    found = schedule(plant(*jobs, parts=parts))
    assert sorted(each.window for each in found.services) == ["night 0", "night 14"]


def test_contradictory_pins_are_kept_and_named():
    jobs = [job("a", minutes=300), job("b", minutes=300), job("c", minutes=60)]
    found = schedule(plant(*jobs, windows=[night(0)], pins=[Pin("a", "night 0", "A"), Pin("b", "night 0", "A")]))
    assert [each.machine for each in found.services] == ["a", "b"]
    assert found.objections == ("Accepted work takes more than crew A's 8 h on Fri 27 Nov.",)


def test_a_window_that_is_over_and_a_crew_without_hours_are_named():
    found = schedule(
        plant(job(), windows=[night(-3)], crews=[crew("A", days=())], pins=[Pin("press-07", "night -3")])
    )
    assert found.objections == (
        "The window night -3 of Tue 24 Nov is over.",
        "Crew A has no hours in any window.",
        "press-07 is pinned to the window night -3, which is over or not among those of the plan.",
    )
    assert found.left_out[0].reason.startswith("Not planned anew, since it is accepted work pinned to")
