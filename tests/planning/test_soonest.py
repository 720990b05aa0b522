"""Machines to be serviced now go where accepted work, each other, their line and their parts leave room."""

from __future__ import annotations

import pytest
from made_plant import DAY, HOUR, NOW, crew, job, night, plant

from app.errors import BadInput
from app.planning.agreed_work import Agreed, with_agreed
from app.planning.problem import Line, Part, Pin, Span
from app.planning.soonest import soonest
from ml.planning.scheduler import schedule


def test_two_machines_share_the_first_window_and_a_third_waits_for_the_next():
    problem = plant(job("a"), job("b"), job("c"))
    assert soonest(problem, "abc") == [
        Pin("a", "night 0", "A"),
        Pin("b", "night 0", "A"),
        Pin("c", "night 7", "A"),
    ]


def test_accepted_work_leaves_only_the_rest_of_its_crews_hours():
    agreed = Agreed("work order 1", Span(NOW + 10 * HOUR, NOW + 16 * HOUR), "A", begun=False)
    problem = with_agreed(plant(job("a"), job("b")), [agreed, None])
    assert soonest(problem, "b") == [Pin("b", "night 7", "A")]


def test_a_line_that_may_have_one_machine_down_has_one_down():
    problem = plant(job("a"), job("b"), crews=[crew("A"), crew("B")], lines=[Line("L1", most_down=1)])
    assert [each.window for each in soonest(problem, "ab")] == ["night 0", "night 7"]


@pytest.mark.parametrize(("stock", "windows"), [(2, ["night 0", "night 0"]), (1, ["night 0", "night 7"])])
def test_a_part_that_is_not_there_is_waited_for(stock, windows):
    bearing = {"parts": {"bearing": 1}}
    problem = plant(job("a", **bearing), job("b", **bearing), parts=[Part("bearing", stock, 5 * DAY)])
    assert [each.window for each in soonest(problem, "ab")] == windows


def test_who_can_be_serviced_in_no_window_is_named():
    with pytest.raises(BadInput, match="b cannot be serviced: no window has 4 h left of a crew"):
        soonest(plant(job("a"), job("b"), windows=[night(0, hours=4)]), "ab")


def test_a_plan_keeps_to_them_and_calls_nobody_to_have_accepted_them():
    problem = plant(job("a"), job("b"))
    found = schedule(plant(job("a"), job("b"), pins=soonest(problem, "ab")), 2)
    assert [each.window for each in found.services] == ["night 0", "night 0"]
    assert all(each.reason.startswith("Put here, as it was asked for.") for each in found.services)
    assert not found.objections
