"""A schedule is made whatever becomes of the process that searches for it."""

from __future__ import annotations

import pytest
from made_plant import crashes, hangs, job, plant

from app.errors import BadInput, Unavailable
from ml.planning import apart
from ml.planning.apart import schedule_apart
from ml.planning.scheduler import schedule, without_search

PLANT = plant(job("a"), job("b"))


def test_a_process_of_its_own_gives_the_same_schedule():
    assert schedule_apart(PLANT, 30) == schedule(PLANT, 30)


def test_a_crash_of_the_search_leaves_the_schedule_without_it():
    assert schedule_apart(PLANT, 30, crashes) == without_search(PLANT)


def test_a_search_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(apart, "GRACE_SECONDS", 0.5)
    assert schedule_apart(PLANT, 0.5, hangs) == without_search(PLANT)


def test_a_schedule_that_hangs_even_without_a_search_is_ended_and_said(monkeypatch):
    for name in ("GRACE_SECONDS", "WITHOUT_SEARCH_SECONDS"):
        monkeypatch.setattr(apart, name, 0.5)
    monkeypatch.setattr(apart, "without_search", hangs)
    with pytest.raises(Unavailable, match="No schedule was found in time"):
        schedule_apart(PLANT, 0.5, hangs)


def test_nonsense_is_refused_as_it_is_without_a_process():
    with pytest.raises(BadInput, match="two of the machine"):
        schedule_apart(plant(job("a"), job("a")), 30)
