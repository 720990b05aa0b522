import math

import pytest

from app.risk.vibration_zones import LIMITS_MM_S, Zones, zone_of, zones


@pytest.mark.parametrize("group_support", LIMITS_MM_S)
def test_a_value_on_a_limit_belongs_to_the_lower_zone(group_support):
    group, support = group_support
    power = {1: 355, 2: 75}[group]
    for limit, below, above in zip(LIMITS_MM_S[group_support], "ABC", "BCD", strict=True):
        assert zone_of(limit, power, support) == below
        assert zone_of(math.nextafter(limit, math.inf), power, support) == above


def test_the_group_follows_the_rated_power():
    assert zones(300, "rigid") == Zones(1.4, 2.8, 4.5, "ISO 20816-3 group 2, rigid")
    assert zones(300.1, "rigid") == Zones(2.3, 4.5, 7.1, "ISO 20816-3 group 1, rigid")


@pytest.mark.parametrize(
    ("vibration", "power", "support", "why"),
    [
        (None, 75, "rigid", "no vibration"),
        (math.nan, 75, "rigid", "no vibration"),
        (math.inf, 75, "rigid", "no vibration"),
        (-1, 75, "rigid", "no vibration"),
        (2.0, None, "rigid", "rated power"),
        (2.0, 15, "rigid", "above 15 kW"),
        (2.0, math.nan, "rigid", "above 15 kW"),
        (2.0, 75, None, "support is not known"),
        (2.0, 75, "floating", "neither"),
    ],
)
def test_what_is_missing_is_said_instead_of_a_zone(vibration, power, support, why):
    found = zone_of(vibration, power, support)
    assert found.startswith("not assessable: ")
    assert why in found


def test_standing_still_is_zone_a():
    assert zone_of(0.0, 75, "rigid") == "A"
