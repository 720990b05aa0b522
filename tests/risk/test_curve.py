import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.errors import BadInput
from app.risk.curve import NEARLY_CERTAIN, fault, make_curve

HORIZONS = (24.0, 72.0, 168.0)


@st.composite
def curves(draw):
    horizons = sorted(draw(st.lists(st.floats(0.01, 10_000), min_size=1, max_size=6, unique=True)))
    probabilities = sorted(draw(st.lists(st.floats(0, 1), min_size=len(horizons), max_size=len(horizons))))
    return make_curve(horizons, probabilities)


def test_a_horizon_gives_the_models_own_probability():
    curve = make_curve(HORIZONS, (0.1, 0.2, 0.4))
    assert [curve.probability(hours) for hours in HORIZONS] == pytest.approx([0.1, 0.2, 0.4])
    assert curve.probability(0) == 0


def test_between_horizons_the_hazard_is_constant():
    curve = make_curve(HORIZONS, (0.1, 0.2, 0.4))
    halfway = 1 - math.sqrt(0.9 * 0.8)
    assert curve.probability(48) == pytest.approx(halfway)
    assert curve.probability(12) == pytest.approx(1 - math.sqrt(0.9))


def test_beyond_the_longest_horizon_is_refused_in_words():
    with pytest.raises(BadInput, match=r"8d is outside what the model looks at: up to 7d\."):
        make_curve(HORIZONS, (0.1, 0.2, 0.4)).probability(192)


@pytest.mark.parametrize("hours", [-1, math.nan, math.inf, 1e308])
def test_a_time_that_is_none_is_refused(hours):
    with pytest.raises(BadInput):
        make_curve(HORIZONS, (0.1, 0.2, 0.4)).probability(hours)


@pytest.mark.parametrize(
    ("horizons", "probabilities", "why"),
    [
        ((), (), "one probability per horizon"),
        ((24.0,), (0.1, 0.2), "one probability per horizon"),
        ((24.0, 24.0), (0.1, 0.2), "do not rise"),
        ((24.0, 72.0), (0.2, 0.1), "falls"),
        ((24.0,), (math.nan,), "outside 0 to 1"),
        ((24.0,), (1.1,), "outside 0 to 1"),
        ((math.inf,), (0.1,), "positive number"),
        ((0.0,), (0.1,), "positive number"),
    ],
)
def test_numbers_that_are_no_curve_are_named(horizons, probabilities, why):
    assert why in fault(horizons, probabilities)
    with pytest.raises(BadInput, match=why):
        make_curve(horizons, probabilities)


def test_certain_failure_stays_finite():
    curve = make_curve(HORIZONS, (0.0, 1.0, 1.0))
    assert curve.probability(72) == pytest.approx(1)
    assert 24 < curve.hours_at(0.5) < 72
    assert curve.hours_at(1.0) == pytest.approx(72)


@given(curves(), st.floats(0, 1), st.floats(0, 1))
def test_more_time_is_never_less_risk(curve, one, other):
    earlier, later = sorted((one * curve.longest_hours, other * curve.longest_hours))
    assert 0 <= curve.probability(earlier) <= curve.probability(later) + 1e-12 <= 1 + 1e-12


@given(curves(), st.floats(0, 1))
@example(make_curve((1.0, 106.0), (0.0, 1.0)), 1.0)
def test_the_inverse_finds_the_time_the_risk_is_reached(curve, probability):
    hours = curve.hours_at(probability)
    highest = curve.probability(curve.longest_hours)
    if hours is None:
        assert highest <= probability
    else:
        assert curve.probability(hours) == pytest.approx(min(probability, NEARLY_CERTAIN), abs=1e-9)


@given(curves(), st.floats(0.01, 1))
def test_expected_life_is_the_area_under_the_survival_curve(curve, share):
    hours = share * curve.longest_hours
    assume(all(abs(hours - end) > 1e-9 for end in curve.horizons_hours))
    steps = 4000
    midpoints = ((step + 0.5) * hours / steps for step in range(steps))
    area = sum(1 - curve.probability(at) for at in midpoints) * hours / steps
    assert curve.expected_hours(hours) == pytest.approx(area, rel=0.01, abs=hours * 0.001)
