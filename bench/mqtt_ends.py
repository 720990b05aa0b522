"""Both ends of the MQTT benchmark, as processes: who publishes, and the peer that receives and acknowledges."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from threading import Event

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.ingest.mqtt.sparkplug_wire import encode_payload

MACHINES = 50
START = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = {"temperature_c": 61.2, "vibration_mm_s": 2.1, "current_a": 14.3, "runtime_hours": 10234.5}
OTHER_NAMES = dict(zip(("temp", "vibration", "amps", "running_hours"), CHANNELS.values(), strict=True))
FLOAT = 9
# As the bridge asks for by default.
MOST_UNACKNOWLEDGED = 1000
ROWS = {"one": 1, "mapped": 1, "sparkplug": 1, "hundred": 100}


def message(form: str, number: int, first: int) -> tuple[str, bytes]:
    """Message `number` of a run whose readings begin `first` seconds after START."""
    machine, turn = number % MACHINES, number // MACHINES
    at = START + timedelta(seconds=first + turn * ROWS[form])
    if form == "sparkplug":
        metrics = [{"alias": alias, "float_value": value} for alias, value in enumerate(CHANNELS.values())]
        body = encode_payload(round(at.timestamp() * 1000), metrics, (turn + 1) % 256)
        return f"spBv1.0/bench/NDATA/m{machine + 1}", body
    if form == "mapped":
        return f"plant/m{machine + 1}", json.dumps({"ts": at.timestamp(), **OTHER_NAMES}).encode()
    rows = [
        {"machine": f"m{machine + 1}", "measured_at": (at + timedelta(seconds=row)).isoformat(), **CHANNELS}
        for row in range(ROWS[form])
    ]
    return f"plant/m{machine + 1}", json.dumps(rows if len(rows) > 1 else rows[0]).encode()


def births() -> list[tuple[str, bytes]]:
    metrics = [{"name": name, "alias": alias, "datatype": FLOAT} for alias, name in enumerate(CHANNELS)]
    return [(f"spBv1.0/bench/NBIRTH/m{m + 1}", encode_payload(0, metrics, 0)) for m in range(MACHINES)]


def publish(port: int, form: str, count: int, first: int) -> None:
    """Made beforehand, then as fast as the broker takes them; the first line says when that begins."""
    made = [message(form, number, first) for number in range(count)]
    client = connected(port, "publisher")
    print(json.dumps(time.time()), flush=True)
    sent = [
        client.publish(topic, body, qos=1) for topic, body in [*(births() if form == "sparkplug" else []), *made]
    ]
    sent[-1].wait_for_publish()
    client.disconnect()


def receive(port: int, count: int) -> None:
    """The least a bridge in paho can cost; says its CPU seconds from the first to the last message."""
    waiting: list[mqtt.MQTTMessage] = []
    client = connected(port, "receiver", manual_ack=True)
    client.on_message = lambda _, __, given: waiting.append(given)
    is_subscribed = Event()
    client.on_subscribe = lambda *_: is_subscribed.set()
    client.subscribe("#", qos=1)
    is_subscribed.wait()
    print("ready", flush=True)
    start, acknowledged = time.process_time(), 0
    while acknowledged < count:
        time.sleep(0.01)
        for given in waiting[acknowledged:]:
            client.ack(given.mid, given.qos)
            acknowledged += 1
    print(json.dumps(time.process_time() - start), flush=True)


def connected(port: int, name: str, **more: bool) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, **more)
    client.max_inflight_messages_set(MOST_UNACKNOWLEDGED)
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = MOST_UNACKNOWLEDGED
    client.connect("127.0.0.1", port, properties=properties)
    client.loop_start()
    return client


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        publish(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        receive(int(sys.argv[2]), int(sys.argv[3]))
