"""What people agreed on stays when and with whom it is, takes its crew's hours, and keeps its machine from more."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plant import DAY, HOUR, NOW, broken, crew, job, night, plant

from app.planning.agreed_work import Agreed, with_agreed
from app.planning.framing import framed
from app.planning.problem import Line, Pin, Setup, Span, Window
from bench.plants import plant as large_plant
from ml.planning.scheduler import schedule

# The crew works from four in the afternoon until midnight.
AFTERNOON = NOW + 10 * HOUR


def agreed(start=AFTERNOON, hours=4, name="work order 1", who="A", begun=False):
    return Agreed(name, Span(start, start + hours * HOUR), who, begun)


@st.composite
def works(draw):
    start = AFTERNOON + draw(st.integers(0, 2)) * DAY + draw(st.integers(-4, 14)) * HOUR / 2
    return agreed(
        start, draw(st.integers(1, 16)) / 2, f"work order {draw(st.uuids())}", draw(st.sampled_from([None, *"AB"]))
    )


def planned(problem, *works):
    return schedule(with_agreed(problem, works), 2)


def test_agreed_work_keeps_its_hours_and_the_rest_of_the_crew_is_planned_around_it():
    problem = plant(job("a"), job("b"), crews=[crew(days=[0])], windows=[night(0)])
    found = planned(problem, agreed(AFTERNOON + 2 * HOUR), None)
    first, second = sorted(found.services, key=lambda each: each.machine)
    assert (first.starts_at, first.ends_at, first.crew) == (AFTERNOON + 2 * HOUR, AFTERNOON + 6 * HOUR, "A")
    assert first.pinned
    assert first.reason.startswith("Accepted work, kept where it is.")
    # Two hours before the agreed work, two after it.
    assert (second.starts_at, second.ends_at) == (AFTERNOON, AFTERNOON + 8 * HOUR)
    assert not found.objections


def test_a_full_crew_leaves_another_machine_out():
    problem = plant(job("a"), job("b"), crews=[crew(days=[0])], windows=[night(0)])
    found = planned(problem, agreed(hours=8), None)
    [left] = found.left_out
    assert left.machine == "b"
    assert "no crew that could do it has 4 h free in a window of its line" in left.reason


def test_a_crew_that_nobody_described_costs_no_other_crew_its_hours():
    problem = plant(job("a", skill="mechanical"), job("b"), crews=[crew(days=[0], hours=4)], windows=[night(0)])
    found = planned(problem, agreed(AFTERNOON, 4, who="the maker's fitters"), None)
    assert {each.machine: each.crew for each in found.services} == {"a": "the maker's fitters", "b": "A"}
    assert not found.objections


def test_work_outside_a_crews_hours_stays_and_is_objected_to():
    found = planned(plant(job("a")), agreed(NOW, 4))
    assert found.services[0].starts_at == NOW
    assert any("crew A has 0 h then" in said for said in found.objections)


def test_a_break_within_the_agreed_hours_is_no_contradiction():
    found = planned(plant(job("a"), crews=[crew(days=[0], hours=3)]), agreed(hours=8))
    assert not found.objections


def test_two_agreements_at_one_time_of_one_crew_are_named():
    problem = plant(job("a"), job("b"), windows=[])
    found = planned(problem, agreed(), agreed(name="work order 2"))
    assert len(found.services) == 2
    assert any(said.startswith("Accepted work takes more than crew A's 4 h") for said in found.objections)


def test_agreed_work_in_a_planned_stop_loses_no_production():
    stop = night(0, loss_share=0.0)
    asked = with_agreed(plant(job("a"), windows=[stop, night(0, start=18)]), [agreed()])
    assert asked.windows[-1].loss_share == 0.0


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (agreed(NOW - DAY), "the time of work order 1 is over and nobody began it; schedule it anew or cancel it"),
        (agreed(NOW + 99 * DAY), "work order 1 is agreed on for Sat 6 Mar, after the plan's end"),
        (agreed(NOW - HOUR, 2), ""),
    ],
)
def test_what_is_overdue_or_far_off_keeps_its_machine_from_a_service(work, why):
    assert work.barred(NOW, NOW + 28 * DAY, UTC) == why


def test_work_under_way_takes_what_is_left_of_its_hours():
    asked = with_agreed(plant(job("a")), [agreed(NOW - HOUR, 3, who=None, begun=True)])
    assert asked.jobs[0].minutes == 120


@pytest.mark.parametrize(
    "work",
    [
        Agreed("work order 1", None, "A", True),
        agreed(NOW - DAY, begun=True),
        agreed(NOW + 3 * DAY, begun=True),
    ],
    ids=["without a time", "its time is over", "begun early"],
)
def test_work_under_way_is_a_service_now_and_takes_its_crew_and_line(work):
    problem = plant(job("a"), job("b"), lines=[Line("L1", most_down=1)])
    asked = with_agreed(problem, [work, None])
    assert (asked.windows[-1].span.start, asked.jobs[0].barred) == (NOW, "")
    assert asked.windows[-1].span.end == NOW + timedelta(minutes=problem.jobs[0].minutes)
    found = planned(problem, work, None)
    first, *others = found.services
    assert (first.machine, first.starts_at) == ("a", NOW)
    assert all(each.starts_at >= first.ends_at for each in others)
    # It was begun before the crew's shift.
    assert not found.objections


def test_accepting_one_of_two_that_share_a_set_up_pays_it_no_second_time():
    shared = [job(each, setup="crane") for each in "ab"]
    problem = plant(*shared, windows=[night(0)], setups=(Setup("crane", 900.0),), crews=[crew("A"), crew("B")])
    before = schedule(problem, 2)
    assert planned(problem, agreed(), None).cost == pytest.approx(before.cost, abs=1)


def test_waiting_costs_the_same_whether_the_work_is_accepted_or_not():
    problem = plant(job("a"))
    [proposed], [kept] = schedule(problem, 2).services, planned(problem, agreed()).services
    words = re.search(r"If you wait for the window of .*?expected extra cost [^.]+", proposed.reason)[0]
    assert words.split(": risk")[0] in kept.reason
    assert words.rsplit(" ", 1)[1] in kept.reason


def test_hours_that_are_almost_over_are_over():
    assert agreed(NOW - HOUR, 1).barred(NOW - timedelta(seconds=30), NOW + DAY, UTC)


def test_the_hours_of_accepted_work_are_open_to_no_other_machine_of_its_line():
    stop = night(14, lines=frozenset({"L1"}))
    problem = plant(job("a"), job("b"), windows=[stop], crews=[crew("A"), crew("B")])
    found = planned(problem, agreed(AFTERNOON + 2 * DAY), None)
    assert {each.machine: each.window for each in found.services} == {"a": "work order 1", "b": "night 14"}


def test_another_machine_pinned_to_the_hours_of_accepted_work_is_not_put_there():
    problem = plant(job("a"), job("b"), crews=[crew("A"), crew("B")], pins=[Pin("b", "work order 1", "B")])
    found = planned(problem, agreed(), None)
    assert [each.machine for each in found.services] == ["a"]
    assert any(
        "b is pinned to the window work order 1, which is over or not among" in said for said in found.objections
    )


def test_accepted_work_without_a_crew_goes_to_one_that_is_free_then():
    problem = plant(job("a"), job("b"), crews=[crew("A"), crew("B")])
    found = planned(problem, agreed(), agreed(AFTERNOON + HOUR, name="work order 2", who=None))
    assert {each.machine: each.crew for each in found.services} == {"a": "A", "b": "B"}
    assert not found.objections


def test_accepted_work_is_shown_at_its_own_hours_even_where_its_crew_is_asked_for_twice():
    found = planned(plant(job("a"), job("b")), agreed(), agreed(AFTERNOON + 2 * HOUR, name="work order 2"))
    assert [each.starts_at for each in found.services] == [AFTERNOON, AFTERNOON + 2 * HOUR]
    assert [each.ends_at for each in found.services] == [AFTERNOON + 4 * HOUR, AFTERNOON + 6 * HOUR]
    assert found.objections == ("Accepted work takes more than crew A's 4 h on Fri 27 Nov 18:00.",)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | works(), min_size=6, max_size=6), st.booleans())
def test_work_around_that_which_is_agreed_on_breaks_nothing_else(agreements, overlapping):
    across = Window("across", Span(AFTERNOON + 4 * HOUR, AFTERNOON + 30 * HOUR))
    windows = [night(0), night(1), *([across] if overlapping else [])]
    jobs = [job(f"m{number}", minutes=150) for number in range(6)]
    problem = with_agreed(plant(*jobs, windows=windows, crews=[crew("A"), crew("B")]), agreements)
    found = schedule(problem, 5)
    said = broken(problem, found.services)
    assert {*said} <= {*broken(problem, [each for each in found.services if each.pinned])}
    assert found.objections or not said


def test_accepted_work_needs_no_limits_of_its_own():
    """Sixty orders in the days of four weeks and a stop that lasts as long."""
    large = large_plant(500, 28, 6)
    days = [Window(f"day {n}", Span(large.now + n * DAY, large.now + (n + 1) * DAY)) for n in range(28)]
    stop = Window("shutdown", Span(large.now, large.until), loss_share=0.5)
    problem = replace(large, windows=(*days, stop))
    starts = [large.now + number % 28 * DAY + number % 24 * HOUR for number in range(60)]
    works = [agreed(start, 2, f"work order {n}", large.crews[n % 6].key) for n, start in enumerate(starts)]
    plain, found = framed(problem).choices, framed(with_agreed(problem, [*works, *[None] * 440])).choices
    assert len(found.limits) <= len(plain.limits) + 60
