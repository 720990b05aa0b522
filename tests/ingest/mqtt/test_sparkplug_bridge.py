"""An edge node and the bridge at a real broker: births, data, the rebirth it asks for, and its own state."""

from __future__ import annotations

import json
import signal
import threading

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import text

from app.ingest.mqtt.sparkplug_wire import decode_payload
from tests.ingest.mqtt.conftest import until
from tests.ingest.mqtt.payloads import AT_MS, TEMPERATURE, birth, body

NODE, DEVICE = "spBv1.0/hall3/{}/edge1", "spBv1.0/hall3/{}/edge1/press-07"


class EdgeNode:
    """Publishes as Sparkplug B demands, data with QoS 0, and is born again when asked."""

    def __init__(self, client: mqtt.Client) -> None:
        self.client = client
        self.seq = 0
        self.rebirths = 0
        client.on_message = self._command
        done = threading.Event()
        client.on_subscribe = lambda *_: done.set()
        client.subscribe("spBv1.0/hall3/NCMD/edge1", 1)
        assert done.wait(5)

    def send(self, topic: str, *metrics: dict[str, object], at_ms: int = AT_MS) -> None:
        self.seq += 1
        self.client.publish(topic, body(self.seq % 256, *metrics, at_ms=at_ms), qos=0)

    def be_born(self) -> None:
        self.seq = 0
        self.client.publish(NODE.format("NBIRTH"), birth(), qos=0)
        self.send(DEVICE.format("DBIRTH"), TEMPERATURE | {"is_null": True})

    def _command(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        [metric] = decode_payload(message.payload).metrics
        if (metric.name, metric.value) == ("Node Control/Rebirth", True):
            self.rebirths += 1
            self.be_born()


@pytest.fixture
def edge(connect, broker) -> EdgeNode:
    return EdgeNode(connect(broker, "edge1"))


def test_a_bridge_that_missed_the_birth_asks_for_it_and_loses_nothing(run_bridge, subscribed, edge, stored):
    run_bridge()
    subscribed()
    edge.seq = 100
    for second in (1, 2, 3):
        edge.send(DEVICE.format("DDATA"), {"alias": 1, "float_value": float(second)}, at_ms=AT_MS + second * 1000)
    until(lambda: len(stored()) == 3)
    assert [channels["temperature_c"] for _, _, channels in stored()] == [1.0, 2.0, 3.0]
    assert edge.rebirths == 1
    edge.seq += 1  # a message is lost on its way
    edge.send(DEVICE.format("DDATA"), {"alias": 1, "float_value": 9.0}, at_ms=AT_MS + 9000)
    until(lambda: len(stored()) == 4)


def test_history_is_stored_and_is_never_the_latest_value(run_bridge, subscribed, edge, stored, engine):
    run_bridge()
    subscribed()
    edge.be_born()
    edge.send(DEVICE.format("DDATA"), {"alias": 1, "float_value": 61.5})
    old = {"alias": 1, "float_value": 55.0, "timestamp": AT_MS - 3_600_000, "is_historical": True}
    edge.send(DEVICE.format("DDATA"), old)
    until(lambda: len(stored()) == 2)
    with engine.connect() as connection:
        latest = connection.execute(text("SELECT temperature_c FROM readings ORDER BY measured_at DESC LIMIT 1"))
        assert latest.scalar() == 61.5


def test_a_bridge_that_stops_keeps_what_waits_for_a_birth(run_bridge, subscribed, broker, connect, stored, refused):
    bridge = run_bridge()
    subscribed()
    named = {"name": "temperature_c", "datatype": 9, "float_value": 61.5}
    client = connect(broker, "edge2")
    client.publish(DEVICE.format("DDATA"), body(5, named, {"alias": 2, "float_value": 1.0}), qos=0)
    until(lambda: bridge._reader.sparkplug.held)
    bridge.stop()
    until(lambda: stored() and refused())
    assert stored()[0][2] == {"temperature_c": 61.5}
    assert "no birth certificate" in refused()[0][0]


def test_nodes_are_told_when_readings_can_be_stored(run_bridge, state_of_the_bridge):
    bridge = run_bridge(mqtt_sparkplug_host="wearwatch")
    until(lambda: state_of_the_bridge == [True])
    bridge.stop()
    until(lambda: state_of_the_bridge == [True, False])


def test_nodes_believe_that_a_killed_bridge_is_offline(bridge_process, subscribed, connect, broker):
    told: list[dict[str, object]] = []
    node = connect(broker, "node")
    node.on_message = lambda _, __, message: told.append(json.loads(message.payload))
    node.subscribe("spBv1.0/STATE/wearwatch", 1)
    bridge_process.environment["WEARWATCH_MQTT_SPARKPLUG_HOST"] = "wearwatch"
    bridge_process.start()
    until(lambda: told)
    bridge_process.end(signal.SIGKILL)
    until(lambda: len(told) == 2)
    assert [state["online"] for state in told] == [True, False]
    assert told[1]["timestamp"] >= told[0]["timestamp"], "nodes ignore a state that is older than the last"
