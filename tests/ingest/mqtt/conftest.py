"""A real Mosquitto on a free port, a publisher, and the bridge as a process or in a thread."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine, text

from app.ingest.mqtt.bridge import Bridge, prepare
from app.settings import Settings

PROGRAM = "/usr/sbin/mosquitto"
REPOSITORY = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(holds: Callable[[], object], seconds: float = 20.0, what: str = "") -> object:
    """Wait for something true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what or holds}")


class Mosquitto:
    """A broker of our own; what it is asked to keep survives `restart`."""

    def __init__(self, folder: Path, *more: str) -> None:
        if not Path(PROGRAM).exists():
            pytest.skip("no Mosquitto found (Debian: apt-get install mosquitto); the bridge was not tried")
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "max_queued_messages 0",
            "log_type all",
            "persistence true",
            f"persistence_location {folder}/",
            *(f"user {name}" for name in ("root",) if os.getuid() == 0),
            *(more or ("allow_anonymous true",)),
        ]
        self.config.write_text("\n".join(lines) + "\n")
        self.log = (folder / "mosquitto.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.config)], stdout=self.log, stderr=self.log)
        until(self._answers, what="mosquitto listens")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()
    broker.log.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., mqtt.Client]]:
    """`connect(broker, "name")`: a client of the test's own."""
    clients: list[mqtt.Client] = []

    def make(broker: Mosquitto, name: str = "test") -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        until(client.is_connected, what="the test is connected")
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def publish(broker: Mosquitto, connect) -> Callable[..., None]:
    """Publish an object as JSON, or bytes as they are; returns when the broker has it."""
    client: list[mqtt.Client] = []

    def publish(topic: str, body: object, qos: int = 1, retain: bool = False) -> None:
        if not client:
            client.append(connect(broker, "publisher"))
        until(client[0].is_connected, what="the publisher is connected")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        client[0].publish(topic, content, qos=qos, retain=retain).wait_for_publish(10)

    return publish


@pytest.fixture
def mqtt_settings(settings: Settings, broker: Mosquitto) -> Settings:
    return settings.model_copy(
        update={
            "mqtt_url": broker.url,
            "mqtt_topics": "plant/{line}/{machine}/readings, single/{machine}/{channel}",
            "mqtt_sparkplug_group": "+",
            "mqtt_client_id": "bridge",
            "mqtt_register_machines": True,
        }
    )


@pytest.fixture
def run_bridge(engine: Engine, mqtt_settings: Settings) -> Iterator[Callable[..., Bridge]]:
    """The bridge in a thread; stopped in order at the end."""
    running: list[tuple[Bridge, threading.Thread]] = []

    def run(**more: object) -> Bridge:
        bridge = prepare(mqtt_settings.model_copy(update=more))(engine)
        thread = threading.Thread(target=bridge.run)
        thread.start()
        running.append((bridge, thread))
        return bridge

    yield run
    for bridge, thread in running:
        bridge.stop()
        thread.join(20)
        assert not thread.is_alive()


class BridgeProcess:
    """`wearwatch mqtt` as people start it."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment = os.environ | environment
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "wearwatch.py", "mqtt"], cwd=REPOSITORY, env=self.environment, stderr=log
            )

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture
def bridge_process(engine: Engine, mqtt_settings: Settings, tmp_path: Path) -> Iterator[BridgeProcess]:
    environment = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "WEARWATCH_MQTT_URL": mqtt_settings.mqtt_url,
        "WEARWATCH_MQTT_TOPICS": mqtt_settings.mqtt_topics,
        "WEARWATCH_MQTT_SPARKPLUG_GROUP": "+",
        "WEARWATCH_MQTT_CLIENT_ID": "bridge",
        "WEARWATCH_MQTT_REGISTER_MACHINES": "true",
        "OMP_NUM_THREADS": "1",
    }
    process = BridgeProcess(environment, tmp_path / "bridge.log")
    yield process
    if process.process and process.process.poll() is None:
        process.end(signal.SIGKILL)


@pytest.fixture
def refused(engine: Engine) -> Callable[[], list[tuple[str, str]]]:
    """The ledger of refused readings: (reason, payload) in order."""

    def refused() -> list[tuple[str, str]]:
        with engine.connect() as connection:
            query = text("SELECT reason, payload FROM rejected_readings ORDER BY id")
            return [tuple(row) for row in connection.execute(query)]

    return refused


@pytest.fixture
def subscribed(broker: Mosquitto) -> Callable[[], None]:
    """Waits until a bridge has subscribed: the broker says so in its log."""

    def wait() -> None:
        log = broker.config.parent / "mosquitto.log"
        until(lambda: "Sending SUBACK to bridge" in log.read_text(), what="the bridge subscribed")

    return wait


@pytest.fixture
def state_of_the_bridge(connect, broker: Mosquitto) -> list[bool]:
    """What Sparkplug nodes hear of the host `wearwatch`: online or not, in order."""
    told: list[bool] = []
    client = connect(broker, "node")
    client.on_message = lambda _, __, message: told.append(json.loads(message.payload)["online"])
    client.subscribe("spBv1.0/STATE/wearwatch", 1)
    return told
