"""Other programs' names for machines and channels, with and without a mapping file of the plant's own."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadInput
from app.ingest.mapping import ALIASES, MACHINE_NAMES, QUALIFIERS, Mapped, NameMapping, map_reading
from app.ingest.mapping_file import load_mapping, mapping_of
from app.ingest.plausibility import channel_fault
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import CONVERTED

PLAIN = NameMapping()


def channels(mapped: object) -> dict[str, float]:
    """What a reading holds, named and extra channels alike."""
    assert isinstance(mapped, Mapped), mapped
    named = zip(CORE_CHANNELS, mapped.values, strict=True)
    return {name: value for name, value in named if not math.isnan(value)} | (mapped.extra or {})


def read(fields: dict[str, object], mapping: NameMapping = PLAIN, measurement: str = "", **names: str):
    return map_reading(mapping, {"machine": "m", **names}, fields, measurement)


@pytest.mark.parametrize(
    ("field", "value", "channel", "stored"),
    [
        ("temperature_c", 61.2, "temperature_c", 61.2),
        ("temp", 61, "temperature_c", 61.0),
        ("Temp-C", 61, "temperature_c", 61.0),
        ("temp_f", 212, "temperature_c", 100.0),
        ("temperature_k", 373.15, "temperature_c", 100.0),
        ("vibration_in_s", 1, "vibration_mm_s", 25.4),
        ("amps", 3, "current_a", 3.0),
        ("current_ma", 1500, "current_a", 1.5),
        ("operating hours", 5, "runtime_hours", 5.0),
        ("oil pressure", 5, "oil pressure", 5.0),
        ("machine", 5, "machine_", 5.0),
        ("a\nb", 5, "a_b", 5.0),
        ("vibration_g", 0.2, "vibration_g", 0.2),
        ("vibration_peak_mm_s", 4, "vibration_peak_mm_s", 4.0),
    ],
)
def test_without_a_file_common_names_are_understood_and_others_kept(field, value, channel, stored):
    assert channels(read({field: value})) == {channel: stored}


def test_a_field_called_value_is_named_by_its_measurement():
    assert channels(read({"value": 61}, measurement="temperature")) == {"temperature_c": 61.0}
    assert channels(read({"value": 5}, measurement="oil_bar")) == {"oil_bar": 5.0}
    assert channels(read({"value": 5})) == {"value": 5.0}


def test_sensors_of_one_kind_are_kept_apart_by_what_tells_them_apart():
    assert channels(read({"vibration": 2}, axis="x")) == {"vibration_mm_s_x": 2.0}
    assert channels(read({"temp_f": 212}, position="DE", axis="x")) == {"temperature_c_x_DE": 100.0}


@pytest.mark.parametrize(
    ("names", "machine"),
    [
        ({"host": "gw", "device": "d7"}, "d7"),
        ({"host": "gw", "machine": "", "asset_id": "a7"}, "a7"),
        ({"host": "gw"}, "gw"),
    ],
)
def test_the_most_telling_name_is_the_machine(names, machine):
    assert map_reading(PLAIN, names, {"temp": 1}).machine == machine


def test_a_reading_without_a_machine_says_what_was_looked_for():
    field, reason = map_reading(PLAIN, {"hall": "3"}, {"temp": 1})
    assert (field, "nothing names the machine; looked for machine, machine_id" in reason) == ("machine", True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, 1e308])
def test_what_cannot_be_measured_is_a_fault(value):
    mapping = mapping_of({"channels": {"x": {"channel": "current_a", "unit": "kA"}}})
    fault = read({"x": value}, mapping)
    assert isinstance(fault, tuple)
    assert fault[0] == "x"


def test_texts_and_truths_are_left_out_and_counted_but_not_where_a_number_is_meant():
    mapped = read({"temp": 1, "state": "ok", "on": True, "list": [1], "none": None})
    assert (channels(mapped), mapped.ignored) == ({"temperature_c": 1.0}, 3)
    assert read({"temp": "61"}) == ("temp", "'61' is not a number")
    assert read({"temp": True}) == ("temp", "'True' is not a number")
    assert channels(read({"temp": None})) == {}
    assert read({"state": "ok"}).holds_nothing


def test_one_channel_twice_is_a_fault_unless_both_say_the_same():
    assert read({"temp": 1, "temperature_c": 2}) == (
        "temperature_c",
        "temperature_c comes twice with different values",
    )
    assert channels(read({"temp_f": 212, "temp_c": 100})) == {"temperature_c": 100.0}


def test_a_file_says_what_is_what(tmp_path):
    path = tmp_path / "mapping.toml"
    path.write_text("""
        [machine]
        template = "{line}-{device}"
        [channels]
        temp = { channel = "temperature_c", unit = "degF" }
        "modbus.reg_1" = "oil_bar"
        "vibration_mm_s.x" = "vibration_mm_s"
        [extra]
        qualifiers = ["axis"]
        unknown = "ignore"
        booleans = "number"
        [ignore]
        fields = ["*_raw"]
        measurements = ["cpu*"]
    """)
    mapping = load_mapping(path)
    names = {"line": "a", "device": "7", "axis": "x", "position": "DE"}
    mapped = map_reading(mapping, names, {"Temp": 212, "vibration_mm_s": 2, "temp_raw": 1, "other": 1})
    assert (mapped.machine, mapped.ignored) == ("a-7", 2)
    assert channels(mapped) == {"temperature_c_x": 100.0, "vibration_mm_s": 2.0}
    assert channels(read({"reg_1": 5, "reg_2": 6}, mapping, "modbus", line="a", device="b")) == {"oil_bar": 5.0}
    assert channels(read({"reg_1": 5}, mapping, "other", line="a", device="b")) == {}
    assert channels(read({"temp": 212}, mapping, "cpu0", line="a", device="b")) == {}
    assert map_reading(mapping, {"line": "a"}, {"temp": 1})[0] == "machine"


def test_truth_values_are_numbers_where_the_file_says_so():
    mapping = mapping_of({"extra": {"booleans": "number"}})
    assert channels(read({"on": True, "off": False}, mapping)) == {"on": 1.0, "off": 0.0}
    assert read({"temp": True}, mapping) == ("temp", "'True' is not a number")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"machines": {}}, "machines"),
        ({"machine": {"template": "{line"}}, "machine.template"),
        ({"machine": {"template": "press"}}, "machine.template"),
        ({"machine": {"names": []}}, "machine.names"),
        (
            {"channels": {"a": {"channel": "vibration_mm_s", "unit": "g"}}},
            "channels.a: 'g' is a unit of acceleration",
        ),
        ({"channels": {"a": {"channel": "vibration_mm_s", "unit": "mm/s peak"}}}, "channels.a"),
        ({"channels": {"a": "machine"}}, "channels.a"),
        ({"channels": {"a": 5}}, "channels.a"),
        ({"extra": {"unknown": "drop"}}, "extra.unknown"),
        ({"ignore": {"fields": [5]}}, "ignore.fields"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_place(given, named):
    with pytest.raises(BadInput, match=named):
        mapping_of(given)


def test_the_documentation_shows_a_file_that_is_understood_and_every_name():
    page = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
    _, *blocks = page.split("```toml\n")
    shown = [block.split("```")[0] for block in blocks if block.startswith("[machine]")]
    assert len(shown) == 1
    mapping = mapping_of(tomllib.loads(shown[0]))
    assert channels(read({"vibration_mm_s": 2, "temp": 212}, mapping, axis="x")) == {
        "vibration_mm_s": 2.0,
        "temperature_c_x": 100.0,
    }
    own = [alias for alias in ALIASES if alias not in CONVERTED]
    assert [name for name in (*MACHINE_NAMES, *QUALIFIERS, *own) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("content", [b"[machine", b"\xff", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "mapping.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"mapping\.toml"):
        load_mapping(path)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
)


@given(
    st.dictionaries(st.text(max_size=5) | st.sampled_from(["machine", "axis", "host"]), st.text(max_size=5)),
    st.dictionaries(st.text(max_size=8) | st.sampled_from(["temp", "temp_f", "value", "extra"]), VALUES),
    st.text(max_size=5),
)
def test_nothing_is_an_error_of_ours_and_what_comes_out_can_be_stored(names, fields, measurement):
    mapped = map_reading(PLAIN, names, fields, measurement)
    if isinstance(mapped, Mapped):
        for name, value in (mapped.extra or {}).items():
            assert math.isfinite(value)
            assert len(name) > 100 or channel_fault(name) is None
