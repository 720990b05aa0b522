"""JSON messages: our own shape, bare values, and objects of other programs through the mapping."""

from __future__ import annotations

import json

import pytest

from app.errors import BadInput
from app.ingest.mapping import NameMapping
from app.ingest.mapping_file import mapping_of
from app.ingest.mqtt.json_payloads import Heard, read_json
from app.ingest.mqtt.reading import Reader
from app.ingest.mqtt.sparkplug import Read
from app.ingest.mqtt.topics import filters_of, overlap, parse_template
from app.settings import Settings
from tests.ingest.mqtt.payloads import AT_MS, reasons, values

AT = "2026-11-20T08:00:00Z"
ARRIVED_US = (AT_MS + 500) * 1000


def read(body: object, names: dict[str, str] | None = None, arrived_us: int | None = ARRIVED_US) -> list[Read]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {"machine": "press-07"} if names is None else names
    return [Read(None, read_json(Heard("a/topic", said, content, arrived_us), NameMapping(), 1000))]


CHANNEL = {"machine": "press-07", "channel": "vibration_mm_s"}
VIBRATION = {"vibration_mm_s": 2.5}


@pytest.mark.parametrize(
    ("body", "names", "expected"),
    [
        ({"machine": "press-07", "measured_at": AT, "temperature_c": 1}, None, [(0, {"temperature_c": 1.0})]),
        ([{"machine": "press-07", "measured_at": AT, "temperature_f": 212}], {}, [(0, {"temperature_c": 100.0})]),
        (
            {"measured_at": AT, "temp": 1, "extra": {"oil_bar": 3}},
            None,
            [(0, {"temperature_c": 1.0, "oil_bar": 3.0})],
        ),
        ([{"ts": AT_MS, "temp": 1}, {"ts": AT_MS + 1, "temp": 2}], None, [(0, 1.0), (1, 2.0)]),
        ({"ts": AT_MS, "values": {"temp": 1}}, None, [(0, {"temperature_c": 1.0})]),
        ({"time": AT_MS / 1000, "asset": "press-07", "temp": 1}, {}, [(0, {"temperature_c": 1.0})]),
        ({"motor": {"speed_rpm": 1480}}, None, [(500, {"motor.speed_rpm": 1480.0})]),
        ({"payload": {"ts": AT_MS, "temp": 1}}, None, [(0, {"temperature_c": 1.0})]),
        ({"data": {"timestamp": AT, "values": {"temp": 1}}}, None, [(0, {"temperature_c": 1.0})]),
        ({"data": {"ts": AT_MS + 9, "temp": 1}, "time": AT_MS}, None, [(0, {"temperature_c": 1.0})]),
        ({"ts": AT_MS, "temperature": 212, "unit": "degF"}, None, [(0, {"temperature_c": 100.0})]),
        ({"ts": AT_MS, "values": {"temp": 212, "unit": "degF"}}, None, [(0, {"temperature_c": 100.0})]),
        ({"ts": AT_MS, "temp": 1, "load": 2, "unit": "Unit 3"}, None, [(0, {"temperature_c": 1.0, "load": 2.0})]),
        ({"ts": AT_MS, "temp": 1, "machine": "press-07", "host": "gw"}, None, [(0, {"temperature_c": 1.0})]),
        ({"ts": AT_MS, "temp": 1, "device": "probe 3"}, None, [(0, {"temperature_c": 1.0})]),
        (2.5, CHANNEL, [(500, VIBRATION)]),
        (b" 2.5\n", CHANNEL, [(500, VIBRATION)]),
        ({"value": 2.5, "ts": AT_MS * 1000}, CHANNEL, [(0, VIBRATION)]),
        ({"v": 0.0984251968503937, "unit": "in/s", "timestamp": AT_MS * 10**6}, CHANNEL, [(0, VIBRATION)]),
        ([{"value": 2.5, "ts": AT}], CHANNEL, [(0, VIBRATION)]),
    ],
)
def test_a_message_is_understood(body, names, expected):
    reads = read(body, names)
    found = [(after, channels) for machine, after, channels in values(reads) if machine == "press-07"]
    wanted = [(after, c if isinstance(c, dict) else {"temperature_c": c}) for after, c in expected]
    assert (found, reasons(reads)) == (wanted, [])


@pytest.mark.parametrize(
    ("body", "names", "word"),
    [
        (b"", None, "not JSON"),
        (b"21,5", CHANNEL, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b"[" * 100_000, None, "nested too deeply"),
        (b"1" * 10_000, CHANNEL, "out of range"),
        (b'{"temp": NaN, "ts": 1795161600000}', None, "not a number that can be measured"),
        ({"temp": "61.2"}, None, "not a number"),
        ({"temp": True}, None, "not a number"),
        ({"temp": 1, "ts": "yesterday"}, None, "zone"),
        ({"temp": 1, "ts": "2026-11-20T08:00:00"}, None, "zone"),
        ({"temp": 1, "ts": True}, None, "a time is"),
        ({"temp": 1, "temperature_c": 2}, None, "twice"),
        ({"temp": 1}, {}, "names the machine"),
        ({"machine": "press-99", "measured_at": AT, "temperature_c": 1}, None, "another machine than its topic"),
        ({"machine": "press-99", "ts": AT_MS, "temp": 1}, None, "another machine than its topic"),
        ({"machine": "press-99", "ts": AT_MS, "temp": 1}, {"device": "press-07"}, "another machine than its topic"),
        ({"data": {"machine": "press-99", "temp": 1}}, {"device": "press-07"}, "another machine than its topic"),
        ({"machine": "press-99", "value": 1}, CHANNEL, "another machine than its topic"),
        ({"temp": 212, "vibration": 2, "unit": "degF"}, None, "beside 2 numbers"),
        ({"temp": 212, "unit": "bar"}, None, "a unit of pressure"),
        ({"payload": {"ts": "yesterday", "temp": 1}}, None, "zone"),
        ({}, None, "no value"),
        ({"value": None}, CHANNEL, "no value"),
        ({"value": 2.5, "unit": "mm/s peak"}, CHANNEL, "peak"),
        (2.5, None, "bare value"),
        ("text", None, "bare value"),
        ([[1]], None, "bare value"),
        ({f"c{n}": 1 for n in range(400)}, None, "at most 300"),
        ([{"temp": 1}] * 1001, None, "more than 1,000"),
    ],
)
def test_what_cannot_be_understood_has_a_reason(body, names, word):
    reads = read(body, names)
    assert values(reads) == []
    assert word in reasons(reads)[0]


@pytest.mark.parametrize(
    ("unit", "stored"), [({}, 2.5), ({"unit": "mm/s"}, 2.5), ({"unit": "in/s"}, 63.5), ({"unit": "g"}, None)]
)
def test_a_declared_unit_leaves_the_mappings_qualified_entry_in_force(unit, stored):
    mapping = mapping_of({"channels": {"vibration.x": "vibration_mm_s"}})
    said = {"machine": "press-07", "axis": "x", "channel": "vibration"}
    content = json.dumps({"value": 2.5, "ts": AT_MS} | unit).encode()
    reads = [Read(None, read_json(Heard("a/topic", said, content, None), mapping, 1000))]
    assert values(reads) == ([("press-07", 0, {"vibration_mm_s": stored})] if stored else [])
    other_axis = [Read(None, read_json(Heard("a/topic", said | {"axis": "y"}, content, None), mapping, 1000))]
    assert values(other_axis) == ([("press-07", 0, {"vibration_mm_s_y": stored})] if stored else [])


def test_good_readings_of_a_half_bad_list_are_read():
    reads = read([{"ts": AT_MS, "temp": 1}, {"ts": AT_MS, "temp": "x"}, 5, {"ts": AT_MS + 1, "temp": 2}])
    assert [after for _, after, _ in values(reads)] == [0, 1]
    assert len(reasons(reads)) == 2


def test_a_value_without_a_time_is_refused_when_its_arrival_says_nothing():
    assert "says no time" in reasons(read(2.5, CHANNEL, None))[0]
    assert values(read({"value": 2.5, "ts": AT}, CHANNEL, None))


@pytest.mark.parametrize(
    "time", [-1, 0, 1e300, -1e300, 10**400, 2**63, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00Z"]
)
def test_a_time_that_cannot_be_is_left_to_the_check_of_clocks_or_refused(time):
    reads = read({"temp": 1, "ts": time})
    assert values(reads) or reasons(reads)


@pytest.mark.parametrize(
    ("template", "topic", "said"),
    [
        ("plant/{line}/{machine}/readings", "plant/a/press-07/readings", {"line": "a", "machine": "press-07"}),
        ("plant/{line}/{machine}/readings", "plant/a/press-07", None),
        ("plant/{machine}/readings", "plant/a/other", None),
        ("plant/+/{machine}/#", "plant/a/press-07/x/y", {"machine": "press-07"}),
        ("plant/{machine}/#", "plant/press-07", {"machine": "press-07"}),
        ("{machine}", "press-07", {"machine": "press-07"}),
    ],
)
def test_a_template_says_what_a_topic_names(template, topic, said):
    assert parse_template(template).match(topic) == said


def test_a_template_is_subscribed_with_wildcards():
    assert parse_template("plant/{line}/{machine}/#").subscription == "plant/+/+/#"


@pytest.mark.parametrize(
    "template", ["", " ", "a/#/b", "a/x{machine}", "a/{Machine}", "{a}/{a}", "a/b+", "x" * 2000]
)
def test_what_is_no_template_is_refused(template):
    with pytest.raises(BadInput):
        parse_template(template)


@pytest.mark.parametrize(
    ("one", "other", "does"),
    [
        ("single/+/+", "single/+/temperature", True),
        ("single/+/+", "single/#", True),
        ("single", "single/#", True),
        ("a/+/c", "a/b/+", True),
        ("#", "x/y", True),
        ("a/+", "a/+/+", False),
        ("a/b/#", "a/c/#", False),
        ("a/+/c", "a/b/d", False),
        ("#", "$SYS/x", False),
        ("+/x", "$share/x", False),
    ],
)
def test_two_subscriptions_overlap_where_a_topic_could_fit_both(one, other, does):
    assert overlap(one, other) == overlap(other, one) == does


@pytest.mark.parametrize(
    "wrong",
    [
        {"mqtt_topics": "single/{machine}/{channel}, single/+/temperature"},
        {"mqtt_topics": "plant/{machine}, plant/{machine}"},
        {"mqtt_topics": "{site}/#", "mqtt_sparkplug_group": "+"},
    ],
)
def test_templates_that_would_bring_a_message_twice_are_refused_at_the_start(wrong):
    with pytest.raises(BadInput, match="overlap"):
        Reader(Settings(**wrong))


@pytest.mark.parametrize(
    "subscription", ["plant/+/+/readings", "plant/a/p/readings", "plant/#", "#", "+/+/#", "plant/a/p/readings/#"]
)
def test_whatever_subscription_brought_a_topic_is_among_the_guessed(subscription):
    guessed = filters_of("plant/a/p/readings")
    assert subscription in guessed
    assert all(overlap(each, "plant/a/p/readings") for each in guessed)
    assert len(set(guessed)) == len(guessed) == 16 + 31
    assert filters_of("a/" * 20) == []
