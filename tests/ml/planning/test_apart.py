"""A schedule is made whatever becomes of the process that searches for it."""

from __future__ import annotations

import pytest
from made_plant import crashes, hangs, job, plant

from app.errors import BadInput
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


def test_nonsense_is_refused_as_it_is_without_a_process():
    with pytest.raises(BadInput, match="two of the machine"):
        schedule_apart(plant(job("a"), job("a")), 30)
