import pytest

from app.planning.renewed_life import Lived, Rates, renewed_rates
from app.risk.curve import make_curve


def test_the_rates_are_those_the_fleet_was_run_at():
    rates = renewed_rates(Lived(failures=4, services=12, machine_hours=8000), [])
    assert rates == Rates(failures=0.0005, services=0.0015)
    assert rates.cost_per_hour(preventive_cost=800, failure_cost=8000) == pytest.approx(5.2)


@pytest.mark.parametrize("lived", [Lived(2, 2, 8000), Lived(0, 0, 0), Lived(9, 9, 0)])
def test_with_too_little_history_the_ordinary_machine_stands_in(lived):
    curves = [make_curve([100.0], [risk]) for risk in (0.001, 0.002, 0.9)]
    assert renewed_rates(lived, curves).failures == pytest.approx(0.00002, rel=0.01)
    assert renewed_rates(lived, []) == Rates(0.0, 0.0)


def test_a_few_worn_machines_are_not_taken_for_ordinary_ones():
    assert renewed_rates(Lived(0, 0, 0), [make_curve([100.0], [0.9])]).failures == pytest.approx(1 / 8766)
