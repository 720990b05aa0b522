import math
from dataclasses import replace
from datetime import timedelta

import pytest
from factories import HORIZONS_HOURS, at
from hypothesis import given
from hypothesis import strategies as st

from app.planning.optimiser import Costs, Threshold, expected_cost, latest_sensible_hours, propose
from app.risk.curve import make_curve

AS_OF = at("2026-11-21 07:00")
NOW = at("2026-11-21 08:00")
COSTS = Costs(preventive=800, failure=8000, renewed_per_hour=0.9)
ALWAYS = Threshold(168, 0, 0)
PAGES = Threshold(168, 0.15, 0.35)

amounts = st.floats(0, 1.7e308)


@st.composite
def hazards(draw):
    """Rising horizons with the cumulative hazard added in each interval."""
    spans = draw(st.lists(st.floats(0.01, 2000), min_size=1, max_size=6))
    steps = draw(st.lists(st.floats(0, 3), min_size=len(spans), max_size=len(spans)))
    return spans, steps


def curve_of(spans, steps):
    horizons = [sum(spans[: k + 1]) for k in range(len(spans))]
    return make_curve(horizons, [-math.expm1(-sum(steps[: k + 1])) for k in range(len(steps))])


@st.composite
def costs(draw):
    return Costs(draw(amounts), draw(amounts), draw(amounts))


def proposed(curve, given_costs=COSTS, threshold=ALWAYS):
    return propose(curve, given_costs, threshold, AS_OF, NOW, "€")


def date_of(proposal):
    return proposal.service_by or at("9999-01-01 00:00")


@given(hazards(), costs())
def test_the_date_lies_between_now_and_the_longest_horizon_and_carries_the_curves_risk(hazard, given_costs):
    curve = curve_of(*hazard)
    found = proposed(curve, given_costs)
    end = AS_OF + timedelta(hours=curve.longest_hours)
    if found.service_by is not None:
        assert min(NOW, end) <= found.service_by <= end
        hours = min((found.service_by - AS_OF) / timedelta(hours=1), curve.longest_hours)
        assert found.probability_by_then == pytest.approx(curve.probability(hours))
    else:
        assert found.probability_by_then == curve.probability(curve.longest_hours)


@given(hazards(), costs())
def test_everything_said_is_finite(hazard, given_costs):
    found = proposed(curve_of(*hazard), given_costs)
    assert all(map(math.isfinite, (found.probability_by_then, found.cost_now, found.cost_if_waiting)))
    assert not {"nan", "inf"} & set(found.reason.lower().split())


@given(hazards(), costs(), amounts)
def test_a_dearer_failure_never_makes_the_date_later(hazard, given_costs, more):
    curve, dearer = curve_of(*hazard), replace(given_costs, failure=min(given_costs.failure + more, 1.7e308))
    assert date_of(proposed(curve, dearer)) <= date_of(proposed(curve, given_costs))


@given(hazards(), costs(), st.lists(st.floats(0, 2), min_size=6, max_size=6))
def test_more_hazard_in_any_interval_never_makes_the_date_later(hazard, given_costs, more):
    spans, steps = hazard
    worse = [step + extra for step, extra in zip(steps, more, strict=False)]
    earlier = date_of(proposed(curve_of(spans, worse), given_costs))
    assert earlier <= date_of(proposed(curve_of(spans, steps), given_costs)) + timedelta(seconds=1)


@given(hazards(), st.floats(1, 1e4), st.floats(0, 10))
def test_without_tolerance_the_date_would_cost_least(hazard, at_stake, renewed):
    """The control limit is the optimum where hazards rise; compared with a fine grid of other dates."""
    spans, steps = hazard
    rates = sorted(step / span for step, span in zip(steps, spans, strict=True))
    curve = curve_of(spans, [rate * span for rate, span in zip(rates, spans, strict=True)])
    free = Costs(0, at_stake, renewed)
    hours = latest_sensible_hours(curve, free)
    best = expected_cost(curve, free, curve.longest_hours if hours is None else hours)
    grid = (expected_cost(curve, free, curve.longest_hours * min(step / 10, 1)) for step in range(11))
    assert best <= min(grid) + 1e-6 * (1 + at_stake + renewed * curve.longest_hours)


def test_the_expected_cost_is_that_of_a_simulated_fleet():
    import random

    chance = random.Random(1)
    curve = make_curve([100.0, 200.0], [0.3, 0.8])
    total = 0.0
    for _ in range(5_000):
        lived = curve.hours_at(chance.random()) or math.inf
        total += 8000 if lived < 150 else 800
        total += 0.9 * (200 - min(lived, 150))
    assert total / 5_000 == pytest.approx(expected_cost(curve, COSTS, 150), rel=0.03)


def test_a_rising_risk_is_serviced_before_it_becomes_dear():
    found = proposed(make_curve(HORIZONS_HOURS, [0.001, 0.004, 0.02, 0.25, 0.8]), threshold=PAGES)
    assert found.service_by == at("2026-11-29 00:00")
    assert found.reason == (
        "Waiting until Sun 6 Dec instead of Sun 29 Nov: risk 5 → 29 %, expected extra cost €1,648. "
        "A failure costs €8,000, a service €800."
    )
    assert found.cost_if_waiting > found.cost_now


def test_an_urgent_machine_is_serviced_at_once():
    found = proposed(make_curve(HORIZONS_HOURS, [0.4, 0.6, 0.8, 0.9, 0.95]), threshold=PAGES)
    assert found.service_by == NOW
    assert found.reason.startswith("Waiting until Sat 28 Nov instead of now, Sat 21 Nov: risk 2 → 80 %")


def test_a_machine_below_the_threshold_is_left_out_with_what_it_would_cost():
    found = proposed(make_curve(HORIZONS_HOURS, [0.001, 0.003, 0.008, 0.016, 0.04]), threshold=PAGES)
    assert found.service_by is None
    assert found.reason == (
        "1 % in 7d, 4 % in 30d: servicing now would cost €348 more than it saves. "
        "A failure costs €8,000, a service €800."
    )


def test_servicing_a_machine_below_the_threshold_may_pay_and_then_it_says_so():
    found = proposed(make_curve(HORIZONS_HOURS, [0.01, 0.03, 0.07, 0.13, 0.25]), threshold=PAGES)
    assert found.service_by is None
    assert "below the plan's threshold, though servicing now would save €" in found.reason


def test_a_failure_no_dearer_than_a_service_is_run_to_failure():
    cheap = Costs(preventive=800, failure=800, renewed_per_hour=0.5, failure_is_default=True)
    found = proposed(make_curve(HORIZONS_HOURS, [0.4, 0.6, 0.8, 0.9, 0.95]), cheap, PAGES)
    assert found.service_by is None
    assert "A failure costs €800 (default), a service €800." in found.reason


def test_a_model_of_hours_gives_times_instead_of_days():
    found = propose(make_curve([2.0, 8.0], [0.01, 0.6]), COSTS, ALWAYS, AS_OF, AS_OF, "€")
    assert found.service_by == at("2026-11-21 09:00")
    assert "instead of Sat 21 Nov 09:00" in found.reason
