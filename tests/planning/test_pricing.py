"""What a slot costs: against lives drawn at random, and at its ends."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_plant import COSTS, HOUR, NOW, curve, job, night, plant

from app.planning.pricing import Ahead, prices
from app.risk.curve import make_curve

WORN = curve(0.2, 0.6, 1.5)


def priced(*jobs, **given):
    problem = plant(*jobs, **given)
    return prices(problem, problem.windows)


def test_a_slots_cost_is_the_mean_over_lives_drawn_at_random():
    chance, slot, end = random.Random(1), 178.0, 28 * 24.0
    total = 0.0
    for _ in range(20_000):
        lived = WORN.hours_at(chance.random()) or math.inf
        total += 9000 if lived < slot else 800 + 100 * 4
        total += COSTS.renewed_per_hour * (min(lived, end) - min(lived, slot))
    assert total / 20_000 == pytest.approx(priced(job()).service[0, 1] / 100, rel=0.02)


def test_the_life_ahead_is_the_curves_and_conditional_on_having_lived():
    hours = np.array([0.0, 100.0, 300.0])
    assert Ahead(WORN, 0).mean_life(hours) == pytest.approx([WORN.expected_hours(each) for each in hours])
    aged = Ahead(WORN, 48)
    since = [WORN.cumulative_hazard(48 + each) - WORN.cumulative_hazard(48) for each in hours]
    assert aged.hazard(hours) == pytest.approx(since)


def test_beyond_the_longest_horizon_the_hazard_of_the_later_half_goes_on():
    level = make_curve([100.0, 150.0, 200.0], [0.0, 0.5, 0.5])
    later = Ahead(level, 0).hazard(np.array([200.0, 300.0]))
    assert later[1] - later[0] == pytest.approx(math.log(2))


def test_a_machine_left_out_owes_a_service_when_worn_and_nothing_when_as_good_as_renewed():
    worn, sound = job("worn"), job("sound", (1e-4, 2e-4, 4e-4))
    found = priced(worn, sound)
    survival = 1 - found.left_risk
    assert found.left[0] / 100 == pytest.approx(9000 * found.left_risk[0] + survival[0] * 800, rel=1e-4)
    assert found.left[1] / 100 == pytest.approx(9000 * found.left_risk[1], abs=0.01)


def test_production_is_lost_only_where_the_line_would_run():
    stopped, running = (priced(job(), windows=[night(3, loss_share=share)]).service[0, 0] for share in (0.0, 1.0))
    risk = priced(job(), windows=[night(3)]).risk[0, 0]
    assert (running - stopped) / 100 == pytest.approx((1 - risk) * 400, abs=0.02)


@given(
    st.lists(st.floats(0, 5), min_size=3, max_size=3), st.floats(0, 1e12), st.floats(0, 1e12), st.integers(0, 2000)
)
def test_prices_are_never_below_nothing_and_risks_rise(steps, preventive, failure, age):
    costs = replace(COSTS, preventive=preventive, failure=failure, renewed_per_hour=failure * 1e-4)
    hazards = [sum(steps[: n + 1]) for n in range(3)]
    found = priced(job(hazards=hazards, costs=costs, curve_from=NOW - age * HOUR))
    assert (found.service >= 0).all()
    assert (found.left >= 0).all()
    assert (np.diff(found.risk[0]) >= 0).all()
    assert found.left_risk[0] >= found.risk[0, -1]


def test_a_dearer_failure_makes_every_later_slot_dearer_against_an_earlier_one():
    cheap, dear = job(), job(costs=replace(COSTS, failure=20_000))
    found = priced(cheap, dear, windows=[night(day) for day in range(14)])
    waiting = np.diff(found.service, axis=1)
    assert (waiting[1] > waiting[0]).all()
