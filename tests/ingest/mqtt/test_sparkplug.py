"""Sparkplug B without a broker: births define, data leans on them, gaps ask for a rebirth."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import pytest

from app.errors import BadInput
from app.ingest.mapping import NameMapping
from app.ingest.mqtt.births import Node
from app.ingest.mqtt.inbox import Message
from app.ingest.mqtt.metrics_read import check_template
from app.ingest.mqtt.reading import Reader
from app.ingest.mqtt.sparkplug import HOLD_SECONDS, MOST_HELD, SECONDS_BETWEEN_REBIRTHS, Read, Sent, Sparkplug
from app.ingest.mqtt.sparkplug_wire import PAYLOAD, decode_payload
from app.settings import Settings
from tests.ingest.mqtt.payloads import (
    AT_MS,
    BOOLEAN,
    CURRENT,
    FLOAT,
    TEMPERATURE,
    TEXT,
    Plant,
    birth,
    body,
    death,
    reasons,
    values,
)

REBIRTH = "spBv1.0/hall3/NCMD/edge1"


@pytest.fixture
def plant() -> Plant:
    return Plant(Sparkplug(NameMapping(), "{device}"))


@pytest.fixture
def born(plant: Plant) -> Plant:
    """A node and its device press-07 with two metrics."""
    plant.hear("NBIRTH", birth())
    plant.hear("DBIRTH", body(1, TEMPERATURE, CURRENT), "press-07")
    assert plant.asked() == []
    return plant


def test_an_alias_means_what_the_birth_said(born):
    data = body(2, {"alias": 1, "float_value": 61.5, "timestamp": AT_MS + 5}, {"alias": 2, "int_value": 0xFFFFFFA9})
    reads = born.hear("DDATA", data, "press-07")
    assert values(reads) == [("press-07", 5, {"temperature_c": 61.5}), ("press-07", 0, {"current_a": -87.0})]


def test_a_birth_is_a_reading_too(plant):
    reads = plant.hear("NBIRTH", birth(0, TEMPERATURE | {"float_value": 20.0}))
    assert values(reads) == [("edge1", 0, {"temperature_c": 20.0})]


def test_data_before_its_birth_waits_for_the_rebirth_that_is_asked_for(plant):
    assert plant.hear("DDATA", body(17, {"alias": 1, "float_value": 61.5}), "press-07") == []
    assert plant.hear("DDATA", body(18, {"alias": 1, "float_value": 62.5}, at_ms=AT_MS + 1), "press-07") == []
    assert plant.asked() == [REBIRTH]
    plant.hear("NBIRTH", birth())
    reads = plant.hear("DBIRTH", body(1, TEMPERATURE), "press-07")
    assert values(reads) == [("press-07", 0, {"temperature_c": 61.5}), ("press-07", 1, {"temperature_c": 62.5})]


def test_the_request_sets_the_node_control(plant):
    plant.hear("NDATA", body(17, {"alias": 1, "float_value": 61.5}))
    [(topic, content)] = plant.sparkplug.rebirths
    request = decode_payload(content)
    assert topic == REBIRTH
    assert [(m.name, m.value, m.datatype) for m in request.metrics] == [("Node Control/Rebirth", True, BOOLEAN)]


def test_data_whose_birth_never_comes_is_refused_with_the_alias(plant):
    plant.hear("DDATA", body(17, {"alias": 4711, "float_value": 61.5}), "press-07")
    assert plant.sparkplug.expired(plant.now + HOLD_SECONDS - 1) == []
    reads = plant.sparkplug.expired(plant.now + HOLD_SECONDS)
    assert values(reads) == []
    [reason] = reasons(reads)
    assert "4711" in reason
    assert "hall3/edge1/press-07" in reason


def test_data_that_explains_itself_is_stored_though_no_birth_comes(plant):
    plant.hear("DDATA", body(17, {"name": "temperature_c", "datatype": FLOAT, "float_value": 61.5}), "press-07")
    assert values(plant.sparkplug.expired(plant.now + HOLD_SECONDS)) == [("press-07", 0, {"temperature_c": 61.5})]


def test_a_gap_asks_for_a_rebirth_and_what_follows_is_read_with_the_new_names(born):
    assert born.hear("DDATA", body(9, {"alias": 1, "float_value": 14.0}), "press-07") == []
    assert born.asked() == [REBIRTH]
    born.hear("NBIRTH", birth())
    reads = born.hear("DBIRTH", body(1, CURRENT | {"alias": 1, "datatype": FLOAT}), "press-07")
    assert values(reads) == [("press-07", 0, {"current_a": 14.0})]
    assert values(born.hear("DDATA", body(2, {"alias": 1, "float_value": 15.0}), "press-07")) != []
    assert born.asked() == []


SWAPPED = {"alias": 1, "float_value": 14.0}, {"name": "temperature_c", "float_value": 61.5}


def test_out_of_step_a_name_is_read_and_an_alias_is_refused(born):
    """A birth that gave the aliases anew may have been missed."""
    born.hear("DDATA", body(9, *SWAPPED), "press-07")
    held = born.sparkplug.expired(born.now + HOLD_SECONDS)
    after = born.hear("DDATA", body(10, *SWAPPED), "press-07", later=HOLD_SECONDS + 1)
    for reads in (held, after):
        assert values(reads) == [("press-07", 0, {"temperature_c": 61.5})]
        assert ["no birth certificate" in reason for reason in reasons(reads)] == [True]


def test_after_a_reconnection_no_alias_is_believed_though_the_numbers_fit(born):
    born.sparkplug.reconnected()
    assert born.hear("DDATA", body(2, {"alias": 1, "float_value": 14.0}), "press-07") == []
    assert born.asked() == [REBIRTH]
    born.hear("NBIRTH", birth())
    reads = born.hear("DBIRTH", body(1, CURRENT | {"alias": 1, "datatype": FLOAT}), "press-07")
    assert values(reads) == [("press-07", 0, {"current_a": 14.0})]


def test_the_reader_notices_a_new_connection():
    reader = Reader(Settings(mqtt_sparkplug_group="+"))

    def hear(kind: str, content: bytes, connection: int) -> list[Read]:
        topic = f"spBv1.0/hall3/{kind}/edge1"
        return reader.read([Message(topic, content, 0, 0, connection, False, False, 0, len(content))], 1e6)

    hear("NBIRTH", birth(0, TEMPERATURE), 0)
    assert values(hear("NDATA", body(1, {"alias": 1, "float_value": 61.5}), 0)) != []
    assert hear("NDATA", body(2, {"alias": 1, "float_value": 61.5}), 1) == []
    assert [values([read]) for read in hear("NBIRTH", birth(0, TEMPERATURE), 1)] == [
        [],
        [("edge1", 0, {"temperature_c": 61.5})],
    ]


def test_what_waits_for_a_nodes_birth_is_not_given_up_at_a_devices(born):
    born.hear("DDATA", body(9, {"alias": 1, "float_value": 61.5}), "press-07")
    assert reasons(born.hear("DBIRTH", body(12, TEMPERATURE), "press-07")) == []
    born.hear("NBIRTH", birth())
    assert values(born.hear("DBIRTH", body(1, TEMPERATURE), "press-07")) == [
        ("press-07", 0, {"temperature_c": 61.5})
    ]


def test_a_gap_before_a_devices_birth_or_death_is_a_gap(born):
    born.hear("DDEATH", body(9), "press-08")
    assert born.asked() == [REBIRTH]
    assert born.hear("DDATA", body(10, {"alias": 1, "float_value": 14.0}), "press-07") == []


def test_births_of_many_devices_cost_the_same_each():
    def seconds(devices: int) -> float:
        metrics = [{"name": f"m{k}", "alias": k, "datatype": FLOAT} for k in range(20)]
        [*sent] = decode_payload(body(0, *metrics)).metrics
        births = [
            (f"d{n}", [replace(metric, alias=20 * n + metric.alias) for metric in sent]) for n in range(devices)
        ]
        node = Node()
        begin = time.process_time()
        for device, metrics_of_it in births:
            node.define(device, metrics_of_it)
        return time.process_time() - begin

    gc.disable()  # Its own work grows with everything the process holds.
    try:
        few, many = (min(seconds(devices) for _ in range(3)) for devices in (250, 1500))
    finally:
        gc.enable()
    assert many < 18 * few, "six times the devices; the square would be 36"


def test_a_node_whose_numbers_never_fit_is_asked_only_now_and_then(born):
    for seq in range(0, 200, 7):
        born.hear("DDATA", body(seq, {"alias": 1, "float_value": 14.0}), "press-07")
    assert len(born.asked()) == 1
    born.hear("DDATA", body(99, {"alias": 1, "float_value": 14.0}), "press-07", later=SECONDS_BETWEEN_REBIRTHS)
    assert len(born.asked()) == 1


def test_the_number_after_255_is_0(born):
    for seq in range(2, 300):
        reads = born.hear("DDATA", body(seq % 256, {"alias": 1, "float_value": 14.0}), "press-07")
        assert values(reads)
    assert born.asked() == []


def test_a_message_delivered_again_is_no_gap(born):
    data = body(2, {"alias": 1, "float_value": 61.5})
    first = values(born.hear("DDATA", data, "press-07"))
    assert values(born.hear("DDATA", data, "press-07", repeated=True)) == first
    assert values(born.hear("DDATA", body(3, {"alias": 1, "float_value": 62.5}), "press-07"))
    assert born.asked() == []


def test_data_after_a_death_needs_a_new_birth(born):
    born.hear("NDEATH", death(7))
    assert born.hear("DDATA", body(2, {"alias": 1, "float_value": 61.5}), "press-07") == []
    assert born.asked() == [REBIRTH]


def test_the_death_of_an_earlier_session_changes_nothing(born):
    born.hear("NDEATH", death(6))
    assert values(born.hear("DDATA", body(2, {"alias": 1, "float_value": 61.5}), "press-07"))


def test_a_device_that_died_takes_its_names_with_it(born):
    born.hear("DDEATH", body(2), "press-07")
    assert born.hear("DDATA", body(3, {"alias": 1, "float_value": 61.5}), "press-07") == []
    assert born.asked() == [REBIRTH]


def test_history_is_back_fill_at_its_own_time(born):
    old = {"alias": 1, "float_value": 55.0, "timestamp": AT_MS - 3_600_000, "is_historical": True}
    reads = born.hear("DDATA", body(2, old, {"alias": 1, "float_value": 61.5}), "press-07")
    assert values(reads) == [
        ("press-07", -3_600_000, {"temperature_c": 55.0}),
        ("press-07", 0, {"temperature_c": 61.5}),
    ]


def test_history_without_a_time_is_refused(born):
    reads = born.hear("DDATA", body(2, {"alias": 1, "float_value": 55.0, "is_historical": True}), "press-07")
    assert values(reads) == []
    assert reasons(reads) == ["a historical value without a time of its own"]


def test_null_text_and_the_protocols_own_metrics_are_no_measurements(plant):
    metrics = (
        TEMPERATURE | {"is_null": True},
        {"name": "serial", "datatype": TEXT, "string_value": "A-17"},
        {"name": "Node Control/Rebirth", "datatype": BOOLEAN, "boolean_value": False},
        {"name": "installed", "datatype": 13, "long_value": AT_MS},
    )
    reads = plant.hear("NBIRTH", birth(0, *metrics))
    assert (values(reads), reasons(reads)) == ([], [])


def test_the_unit_the_birth_declares_is_converted_and_one_that_cannot_be_is_refused(plant):
    fahrenheit = {"name": "Temperature", "alias": 1, "datatype": FLOAT, "properties": {"engUnit": "°F"}}
    in_g = {"name": "vibration", "alias": 2, "datatype": FLOAT, "properties": {"engUnit": "g"}}
    plant.hear("NBIRTH", birth(0, fahrenheit, in_g))
    assert values(plant.hear("NDATA", body(1, {"alias": 1, "float_value": 212.0}))) == [
        ("edge1", 0, {"temperature_c": 100.0})
    ]
    [reason] = reasons(plant.hear("NDATA", body(2, {"alias": 2, "float_value": 0.5})))
    assert "frequency" in reason


@pytest.mark.parametrize(
    ("name", "unit", "stored"),
    [
        ("voltage_phase_a", "V", {"voltage_phase_a": 5.0}),
        ("Tank_H", "mm", {"Tank_H": 5.0}),
        ("cycle_min", "s", {"cycle_min": 5.0}),
        ("load", "%", {"load": 5.0}),
        ("oil_bar", "degC", {"oil_bar": 5.0}),
        ("oil_bar", "MPa", {"oil_bar": 50.0}),
        ("speed_in_s", "mm/s", {"speed_in_s": 0.196850394}),
        ("vibration", "g", {}),
        ("acceleration_g", "g pk", {}),
    ],
)
def test_an_awkward_unit_costs_no_other_value_of_the_reading(plant, name, unit, stored):
    sound = {"name": "temperature", "datatype": FLOAT, "float_value": 212.0, "properties": {"engUnit": "degF"}}
    awkward = {"name": name, "datatype": FLOAT, "float_value": 5.0, "properties": {"engUnit": unit}}
    reads = plant.hear("NBIRTH", birth(0, sound, awkward))
    assert values(reads) == [("edge1", 0, {"temperature_c": 100.0} | stored)]
    assert len(reasons(reads)) == (not stored)


@pytest.mark.parametrize("field", [("int_value", 32), ("long_value", 64)])
@pytest.mark.parametrize(
    ("quality", "word"),
    [
        (0, "not good"),
        (64, "not good"),
        (500, "stale"),
        (256, "not good"),
        (512, "not good"),
        (516, "not good"),
        (768, "not good"),
        (2_147_484_160, "not good"),
        (-2_147_483_136, "not good"),
        (192, None),
        (216, None),
    ],
)
def test_a_value_the_gateway_does_not_believe_is_refused(plant, quality, word, field):
    name, bits = field
    sent = PAYLOAD.FromString(birth(0, TEMPERATURE | {"float_value": 20.0, "properties": {"Quality": 0}}))
    setattr(sent.metrics[1].properties.values[0], name, quality % 2**bits)
    reads = plant.hear("NBIRTH", sent.SerializeToString())
    assert values(reads) == ([] if word else [("edge1", 0, {"temperature_c": 20.0})])
    assert [word in reason for reason in reasons(reads)] == ([True] if word else [])


def test_two_values_of_a_channel_at_one_time_are_both_handed_on(born):
    reads = born.hear(
        "DDATA", body(2, {"alias": 1, "float_value": 1.5}, {"alias": 1, "float_value": 2.5}), "press-07"
    )
    assert [channels for _, _, channels in values(reads)] == [{"temperature_c": 1.5}, {"temperature_c": 2.5}]


def test_a_folder_of_the_metrics_name_can_be_the_machine():
    plant = Plant(Sparkplug(NameMapping(), "{group}-{folder}"))
    metric = {"name": "Line 1/press-07/Temperature", "datatype": FLOAT, "float_value": 61.5}
    assert values(plant.hear("NBIRTH", birth(0, metric))) == [("hall3-Line 1-press-07", 0, {"temperature_c": 61.5})]


@pytest.mark.parametrize("template", ["", "press", "{machine}", "{0}", "{device", "{device.x}"])
def test_a_template_that_names_no_machine_is_refused(template):
    with pytest.raises(BadInput, match="machine"):
        check_template(template)


def test_what_is_held_is_bounded(plant):
    for seq in range(MOST_HELD + 10):
        plant.hear("DDATA", body(seq % 256, {"alias": 1, "float_value": 1.0}), "press-07", later=0)
    assert len(plant.sparkplug.held) == MOST_HELD
    plant.hear("NBIRTH", birth())
    plant.hear("DBIRTH", body(1, TEMPERATURE), "press-07")
    assert (len(plant.sparkplug.held), plant.sparkplug.held_bytes) == (0, 0)


@pytest.mark.parametrize(
    "topic", ["spBv1.0/g/NDATA", "spBv1.0/g/XDATA/n", "spBv1.0/g/NDATA/n/d", "spBv1.0/g/DDATA/n"]
)
def test_a_topic_that_is_none_of_sparkplugs_is_refused(plant, topic):
    assert reasons(plant.sparkplug.hear(Sent(topic, birth(), False, topic), 0.0))
