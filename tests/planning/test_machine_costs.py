import math

from app.planning.machine_costs import CLASS, DEFAULT, RECORDED, Given, machine_costs
from app.planning.renewed_life import Rates

RATES = Rates(failures=1e-4, services=1e-3)
PLANT = Given(800, 8000, 0, 8)


def test_a_machines_own_figures_outrank_its_classs_and_these_the_plants():
    found = machine_costs(Given(failure=5000), Given(failure=1, preventive=300), Given(), PLANT, RATES)
    assert (found.failure, found.preventive, found.repair_hours) == (5000, 300, 8)
    assert found.whence == {"preventive": CLASS, "downtime_per_hour": DEFAULT, "repair_hours": DEFAULT}


def test_what_is_no_amount_counts_as_not_given():
    found = machine_costs(Given(math.nan, -1, math.inf, None), Given(), Given(), PLANT, RATES)
    assert (found.preventive, found.failure, found.downtime_per_hour) == (800, 8000, 0)


def test_a_failure_costs_the_production_lost_in_its_repair_too():
    found = machine_costs(Given(800, 8000, 100, 20), Given(), Given(), PLANT, RATES)
    assert found.whole_failure == 10_000
    assert found.renewed_per_hour == 1e-4 * 10_000 + 1e-3 * 800


def test_what_past_failures_took_stands_before_the_plants_guess_and_after_the_classs():
    found = machine_costs(Given(), Given(), Given(repair_hours=11), PLANT, RATES)
    assert (found.repair_hours, found.whence["repair_hours"]) == (11, RECORDED)
    assert machine_costs(Given(), Given(repair_hours=3), Given(repair_hours=11), PLANT, RATES).repair_hours == 3
