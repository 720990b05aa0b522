from datetime import timedelta

import pytest
from factories import at

from app.planning.agenda import Work, lay_out
from app.planning.problem import Crew, Span
from app.planning.shifts import WEEKDAYS, hours_of, shifts, working_days

HOUR = timedelta(hours=1)
MONDAY = at("2026-11-23 00:00")


def texts(spans):
    return [f"{each.start:%d %H:%M}-{each.end:%d %H:%M}" for each in spans]


@pytest.mark.parametrize("text", ["", "7-15", "07:00", "25:00-26:00", "08:00-08:00", "07:00-15:60", "07:00-24:30"])
def test_what_is_no_hours_is_refused(text):
    with pytest.raises(ValueError, match="must"):
        hours_of(text)


def test_hours_over_midnight_end_on_the_next_day():
    assert texts(shifts({"mon": ["22:00-06:00"]}, "UTC", MONDAY, MONDAY + 48 * HOUR)) == ["23 22:00-24 06:00"]


def test_a_shift_that_has_begun_yesterday_still_counts():
    assert texts(shifts({"sun": ["22:00-06:00"]}, "UTC", MONDAY, MONDAY + 24 * HOUR)) == ["22 22:00-23 06:00"]


def test_hours_that_overlap_count_once():
    week = {"mon": ["06:00-14:00", "13:00-18:00", "18:00-20:00"]}
    assert texts(shifts(week, "UTC", MONDAY, MONDAY + 24 * HOUR)) == [
        "23 06:00-23 14:00",
        "23 14:00-23 18:00",
        "23 18:00-23 20:00",
    ]


def test_summer_time_moves_the_hours_and_not_the_clock_on_the_wall():
    before = at("2026-10-24 00:00")
    found = shifts({"sat": ["07:00-15:00"], "mon": ["07:00-15:00"]}, "Europe/Berlin", before, before + 72 * HOUR)
    assert texts(found) == ["24 05:00-24 13:00", "26 06:00-26 14:00"]


def test_a_day_of_work_is_that_of_the_clock_on_the_wall():
    own = shifts({"tue": ["00:30-06:00"]}, "Europe/Berlin", MONDAY, MONDAY + 48 * HOUR)
    [(day, span)] = working_days([Crew("A", frozenset(), own)], "Europe/Berlin")
    assert (str(day), texts([span])) == ("2026-11-24", ["23 23:30-24 05:00"])


def test_a_crew_around_the_clock_has_days_of_24_hours():
    own = shifts({day: ["00:00-24:00"] for day in WEEKDAYS}, "UTC", MONDAY, MONDAY + 72 * HOUR)
    spans = [span for _, span in working_days([Crew("A", frozenset(), own)], "UTC")]
    assert spans == [Span(MONDAY + n * 24 * HOUR, MONDAY + (n + 1) * 24 * HOUR) for n in range(3)]


def test_work_is_laid_out_one_machine_at_a_time_and_pauses_between_shifts():
    crew = Crew("A", frozenset(), (Span(MONDAY, MONDAY + 4 * HOUR), Span(MONDAY + 8 * HOUR, MONDAY + 12 * HOUR)))
    window = Span(MONDAY, MONDAY + 24 * HOUR)
    found = lay_out(crew, [Work("mild", window, 360, 0.1), Work("risky", window, 120, 0.5)])
    assert texts([found["risky"], found["mild"]]) == ["23 00:00-23 02:00", "23 02:00-23 12:00"]


def test_work_whose_window_closes_first_comes_first():
    crew = Crew("A", frozenset(), (Span(MONDAY, MONDAY + 8 * HOUR),))
    late, early = Span(MONDAY, MONDAY + 8 * HOUR), Span(MONDAY + HOUR, MONDAY + 3 * HOUR)
    found = lay_out(crew, [Work("late", late, 300, 0.9), Work("early", early, 120, 0.1)])
    assert texts([found["early"], found["late"]]) == ["23 01:00-23 03:00", "23 00:00-23 07:00"]


def test_more_work_than_hours_ends_with_its_window():
    crew = Crew("A", frozenset(), (Span(MONDAY, MONDAY + HOUR),))
    window = Span(MONDAY, MONDAY + 8 * HOUR)
    found = lay_out(crew, [Work("a", window, 120, 0.9), Work("b", window, 60, 0.1)])
    assert texts([found["a"], found["b"]]) == ["23 00:00-23 08:00", "23 00:00-23 08:00"]
