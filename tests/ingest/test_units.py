import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import ALTERNATIVE_NAMES, CONVERTED, QUANTITIES, REFUSED, Affine, conversion
from tests.ingest.conftest import counts, reading

UNITS = [unit for units in QUANTITIES.values() for unit in units]
CHANNELS = [*CORE_CHANNELS, "oil_temperature_k", "acceleration_m_s2", "pressure_bar", "speed_rpm", "spindle_load"]


@pytest.mark.parametrize(
    ("channel", "unit", "value", "own"),
    [
        ("temperature_c", "degF", 212, 100),
        ("temperature_c", "°F", -40, -40),
        ("temperature_c", "FAHRENHEIT", 32, 0),
        ("temperature_c", "[degF]", 212, 100),
        ("temperature_c", "K", 273.15, 0),
        ("temperature_c", "kelvin", 300, 26.85),
        ("temperature_c", "deg C", 61.2, 61.2),
        ("temperature_c", "", 61.2, 61.2),
        ("vibration_mm_s", "in/s", 0.1, 2.54),
        ("vibration_mm_s", "ips", 1, 25.4),
        ("vibration_mm_s", "m/s", 0.0021, 2.1),
        ("vibration_mm_s", "mm/s r.m.s.", 2.1, 2.1),
        ("vibration_mm_s", "MM/S (RMS)", 2.1, 2.1),
        ("current_a", "mA", 14300, 14.3),
        ("runtime_hours", "s", 3600, 1),
        ("runtime_hours", "min", 90, 1.5),
        ("acceleration_m_s2", "g", 1, 9.80665),
        ("acceleration_m_s2", "g rms", 1, 9.80665),
        ("oil_temperature_k", "degF", 32, 273.15),
        ("velocity_peak_mm_s", "in/s peak", 1, 25.4),
        ("pressure_bar", "psi", 100, 6.894757293),
        ("vibration_mm_s", "RMS mm/s", 2.1, 2.1),
        ("velocity_peak_mm_s", "Peak in/s", 1, 25.4),
        ("pressure_bar", "MPa", 1, 10),
        ("pressure_bar", "MPA", 1, 10),
        ("current_a", "ma", 1000, 1),
    ],
)
def test_a_declared_unit_becomes_the_channels_own(channel, unit, value, own):
    assert conversion(channel, unit)(value) == own


@pytest.mark.parametrize(
    ("channel", "unit", "words"),
    [
        ("vibration_mm_s", "mm/s peak", "r.m.s."),
        ("vibration_mm_s", "mm/s 0-pk", "r.m.s."),
        ("vibration_mm_s", "ips pk-pk", "extra.velocity_peak_mm_s"),
        ("current_a", "A peak", "extra.current_peak_a"),
        ("vibration_mm_s", "g", "needs the frequency"),
        ("vibration_mm_s", "g", "extra.acceleration_m_s2"),
        ("vibration_mm_s", "mil", "extra.displacement_um"),
        ("temperature_c", "bar", "a unit of pressure"),
        ("temperature_c", "\0" * 1000, "not known"),
        ("spindle_load", "g", "names no unit"),
        ("vibration_mm_s", "Peak mm/s", "r.m.s."),
        ("vibration_mm_s", "pk-pk in/s", "r.m.s."),
        ("acceleration_g", "g pk", "is a peak"),
        ("current_a", "MA", "not known"),
        ("current_a", "MA rms", "not known"),
        ("current_peak_a", "MA pk", "not known"),
        ("pressure_bar", "mPa", "not known"),
        ("runtime_hours", "MS", "not known"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_what_to_do(channel, unit, words):
    assert words in conversion(channel, unit)


@given(st.sampled_from(CHANNELS), st.text(max_size=60) | st.sampled_from(UNITS))
def test_any_text_as_a_unit_is_converted_or_refused_with_a_reason(channel, unit):
    found = conversion(channel, unit)
    assert (found and "\n" not in found) if isinstance(found, str) else math.isfinite(found(1.0))


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_value(one, other, value):
    there, back = conversion(f"x_{other}", one), conversion(f"x_{one}", other)
    assert isinstance(there, str) == isinstance(back, str)
    if isinstance(there, Affine):
        again = (value * there.factor + there.offset) * back.factor + back.offset
        assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-6)


def test_every_name_that_declares_a_unit_is_converted_or_refused():
    assert {*CONVERTED, *REFUSED} == {*ALTERNATIVE_NAMES}
    assert {"temperature_f", "vibration_in_s", "current_ma", "runtime_s"} <= {*CONVERTED}
    assert {"vibration_peak_mm_s", "vibration_g"} <= {*REFUSED}


def test_a_field_may_name_another_unit_and_is_stored_in_the_channels_own(post, stored):
    body = [
        {"machine": "press-07", "measured_at": "2026-11-20T08:00:00Z", "temperature_f": 212, "current_ma": 14300},
        reading("2026-11-20T09:00:00Z", vibration_in_s=0.1, runtime_minutes=90, temperature_c=None),
    ]
    assert counts(post(body)) == {"accepted": 2}
    assert [channels for _, _, channels in stored()] == [
        {"temperature_c": 100, "current_a": 14.3},
        {"vibration_mm_s": 2.54, "runtime_hours": 1.5},
    ]
    assert counts(post(reading("2026-11-20T08:00:00Z", temperature_c=100))) == {"duplicates": 1}


def test_other_units_beside_a_bad_row_are_converted_too(post, stored):
    answer = post([reading(temperature_f=212), reading(temperature_c="x")])
    assert counts(answer) == {"accepted": 1, "rejected": 1}
    assert [channels for _, _, channels in stored()] == [{"temperature_c": 100}]


def test_one_channel_in_two_units_is_a_fault_of_the_row_only(post):
    answer = post([reading(), reading("2026-11-20T09:00:00Z", temperature_c=61.2, temperature_f=142.16)])
    assert counts(answer) == {"accepted": 1, "rejected": 1}
    [row] = answer.json()["rejected"]
    assert (row["index"], row["field"]) == (1, "temperature_f")
    assert row["reason"] == "temperature_c and temperature_f are the same channel in two units; send one of them"


@pytest.mark.parametrize(
    ("name", "words"), [("vibration_peak_mm_s", "is a peak"), ("vibration_g", "needs the frequency")]
)
def test_a_peak_or_an_acceleration_is_not_taken_for_an_rms_velocity(post, stored, name, words):
    answer = post([reading(), reading("2026-11-20T09:00:00Z", **{name: 1.0})])
    assert counts(answer) == {"accepted": 1, "rejected": 1}
    assert words in answer.json()["rejected"][0]["reason"]
    assert counts(post(reading("2026-11-20T10:00:00Z", extra={"velocity_peak_mm_s": 3.1}))) == {"accepted": 1}


def test_a_value_is_checked_in_the_channels_own_unit(post):
    answer = post([reading(), reading("2026-11-20T09:00:00Z", temperature_k=-1)])
    assert answer.json()["rejected"][0]["reason"].startswith("-274.15 is below -273.15 degrees Celsius")


def test_the_description_of_the_interface_names_the_other_units(client):
    described = client.get("/api/v1/openapi.json").json()
    schema = described["paths"]["/api/v1/readings"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    [other] = [each for each in schema["anyOf"] if each.get("title") == "ReadingInOtherUnits"]
    assert {*CONVERTED} <= {*other["properties"]}
    assert not {*REFUSED} & {*other["properties"]}
    assert {"required": ["temperature_c", "temperature_f"]} in other["not"]["anyOf"]
    assert other["properties"]["temperature_f"]["maximum"] == pytest.approx(3632)
