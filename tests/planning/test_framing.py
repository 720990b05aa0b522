"""From problems to choices: what is no option, what limits bind, which pins contradict what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from made_plant import DAY, HOUR, crew, job, night, plant

from app.errors import BadInput
from app.planning.framing import framed
from app.planning.greedy import best_start
from app.planning.problem import Line, Part, Pin, Span, Window
from app.planning.reasons import Reasons
from bench.plants import plant as large_plant

WEEK = [night(day) for day in range(7)]
ORDER = Window("work order 1", Span(night(2).span.start, night(2).span.start + 2 * HOUR), owner="m0")
PIN = Pin("m0", "work order 1", "A")


def objections(*jobs, **given):
    return framed(plant(*jobs, **given)).objections


def why_left_out(*jobs, **given):
    asked = framed(plant(*jobs, **given))
    return Reasons(asked, best_start(asked.choices)).left_out(0)


def test_a_slot_dearer_than_leaving_the_machine_out_is_no_option():
    assert len(framed(plant(job("sound", (1e-4, 2e-4, 4e-4)))).choices) == 0
    assert len(framed(plant(job("worn"))).choices) == 3


def test_limits_that_can_never_bind_are_not_kept():
    assert framed(plant(job(), lines=[Line("L1", 1)])).choices.limits == ()
    limits = framed(plant(job("a"), job("b"), lines=[Line("L1", 1)])).choices.limits
    assert [each.what for each in limits] == [
        f"the 1 machines of line L1 that may be down on {day}" for day in ("Fri 27 Nov", "Fri 4 Dec", "Fri 11 Dec")
    ]


def test_crews_that_are_alike_in_a_window_are_one_pool():
    crews = [crew("A"), crew("B"), crew("C", hours=4), crew("D", skills=())]
    asked = framed(plant(*(job(f"m{n}", skill="mechanical") for n in range(9)), crews=crews, windows=[night(2)]))
    assert len(asked.choices) == 27
    assert len(asked.pooled) == 18
    assert [each.capacity for each in asked.pooled.limits] == [960, 240]
    assert (asked.pooled.cost[asked.pool_of] == asked.choices.cost).all()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"windows": [night(2, lines=frozenset({"L2"}))]}, "no window of line L1 is ahead"),
        ({"crews": [crew(skills=())]}, "no crew has the skill mechanical"),
        ({"crews": [crew(hours=2)]}, "no crew that could do it has 4 h free in a window of its line"),
        ({"parts": [Part("seal", 0, 99 * DAY)]}, "seal is not there in time for any window"),
        ({}, "seal is not there in time for any window"),
    ],
)
def test_a_machine_that_can_never_be_serviced_says_what_is_lacking(given, reason):
    assert reason in why_left_out(job(skill="mechanical", parts={"seal": 1}), **given)


def test_without_a_risk_a_machine_is_left_out_with_the_reason():
    assert why_left_out(job(curve=None, unknown="silent since Monday")) == "Not planned, silent since Monday."


@pytest.mark.parametrize("hours", [24, 72, 300])
def test_limits_grow_with_the_number_of_overlapping_windows_and_no_faster(hours):
    plain = large_plant(500, 28, 6)
    length, step = timedelta(hours=hours), (28 * DAY - timedelta(hours=hours)) / 200
    windows = [Window(f"w{n}", Span(plain.now + n * step, plain.now + n * step + length)) for n in range(200)]
    choices = framed(replace(plain, windows=tuple(windows))).choices
    assert len(choices.limits) <= 200 * 6 * 4
    assert sum(len(each.options) for each in choices.limits) <= 100 * len(choices)


def test_accepted_work_takes_one_crews_hours_from_a_pool():
    crews = [crew("A"), crew("B"), crew("C")]
    asked = framed(plant(*(job(f"m{n}") for n in range(9)), crews=crews, windows=[night(2), ORDER], pins=[PIN]))
    assert [each.capacity for each in asked.choices.limits] == [480 - 120, 480, 480]
    assert [each.capacity for each in asked.pooled.limits] == [480 - 120, 960]


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        (Pin("gone", "night 1"), "gone is pinned to the window night 1, and there is no such machine."),
        (Pin("m", "night 1", "Z"), "m is pinned to Sat 28 Nov, and there is no crew Z."),
        (Pin("m", "night 1", "B"), "m is pinned to Sat 28 Nov and crew B, which lacks the skill mechanical."),
        (Pin("m", "night 10", "A"), "m is pinned to Mon 7 Dec for 4 h, and crew A has 2 h then."),
        (Pin("m", "night 11"), "m is pinned to Tue 8 Dec, which is no window of line L1."),
    ],
)
def test_a_pin_that_cannot_be_is_named(pin, said):
    windows = [*WEEK, night(10, hours=2), night(11, lines=frozenset({"L2"}))]
    found = objections(
        job("m", skill="mechanical"), windows=windows, crews=[crew(), crew("B", skills=())], pins=[pin]
    )
    assert said in found


def test_a_machine_pinned_to_two_windows_is_named():
    pins = [Pin("press-07", "night 1"), Pin("press-07", "night 2")]
    assert objections(job(), windows=WEEK, pins=pins) == (
        "press-07 is pinned to two windows; night 2 is not heeded.",
    )


def test_a_pin_without_a_crew_goes_to_the_one_with_most_room():
    jobs = [job("a", minutes=300), job("b", minutes=300)]
    pins = [Pin("a", "night 1", "A"), Pin("b", "night 1")]
    asked = framed(plant(*jobs, windows=WEEK, crews=[crew("A"), crew("B")], pins=pins))
    assert asked.objections == ()
    assert asked.choices.crew.tolist() == [0, 1]


def test_two_of_one_key_are_refused():
    with pytest.raises(BadInput, match="two of the machine press-07"):
        framed(plant(job(), job()))
    with pytest.raises(BadInput, match="takes no time"):
        framed(plant(job(minutes=0)))
