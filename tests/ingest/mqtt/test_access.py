"""Who the bridge is to the broker: names, passwords, certificates; no secret is shown."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from app.errors import BadInput, Unavailable
from app.ingest.mqtt.access import access
from app.ingest.mqtt.bridge import prepare
from app.ingest.mqtt.reading import Reader
from app.settings import Settings
from tests.ingest.mqtt.conftest import Mosquitto, free_port, until

SECRET = "hush-hush"
EC = "ec_paramgen_curve:prime256v1"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"mqtt_url": "http://broker"}, "mqtt://"),
        ({"mqtt_url": "mqtt://"}, "mqtt://"),
        ({"mqtt_url": "mqtt://broker:port"}, "mqtt://"),
        ({"mqtt_url": f"mqtt://me:{SECRET}@broker"}, "USERNAME"),
        ({"mqtt_password": SECRET}, "USERNAME"),
        ({"mqtt_username": "me", "mqtt_password": SECRET, "mqtt_password_file": Path("x")}, "not both"),
        ({"mqtt_username": "me", "mqtt_password_file": Path("/none")}, "PASSWORD_FILE"),
        ({"mqtt_url": "mqtts://broker", "mqtt_ca_file": Path("/none")}, "CA_FILE"),
        ({"mqtt_ca_file": Path("/none")}, "mqtts://"),
    ],
)
def test_what_cannot_be_is_one_sentence_without_the_secret(wrong, word):
    with pytest.raises(BadInput, match=word) as refused:
        access(Settings(**wrong))
    assert SECRET not in refused.value.detail


def test_a_secret_is_never_shown(tmp_path):
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    given = access(Settings(mqtt_username="me", mqtt_password_file=file))
    assert given.password == SECRET
    assert SECRET not in repr(given)


def test_nothing_to_listen_to_is_said():
    with pytest.raises(BadInput, match="--topic"):
        Reader(Settings())


@pytest.fixture
def guarded(tmp_path: Path) -> Mosquitto:
    """A broker that wants a password and speaks TLS only."""
    passwords, key, certificate = tmp_path / "passwords", tmp_path / "key.pem", tmp_path / "ca.pem"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "me", SECRET], check=True, capture_output=True)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", EC, "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, f"password_file {passwords}", f"certfile {certificate}", f"keyfile {key}")
    yield broker
    broker.stop()
    broker.log.close()


@pytest.fixture
def broker(guarded: Mosquitto) -> Mosquitto:
    return guarded


def test_the_bridge_signs_in_over_tls(run_bridge, guarded, subscribed, tmp_path, capfd):
    file = tmp_path / "secret"
    file.write_text(SECRET)
    run_bridge(
        mqtt_url=f"mqtts://127.0.0.1:{guarded.port}",
        mqtt_ca_file=tmp_path / "ca.pem",
        mqtt_username="me",
        mqtt_password_file=file,
    )
    subscribed()
    assert SECRET not in capfd.readouterr().out + guarded_log(guarded)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_cannot_be_checked_is_not_trusted(run_bridge, guarded):
    run_bridge(mqtt_url=f"mqtts://127.0.0.1:{guarded.port}", mqtt_username="me")
    until(lambda: "unknown ca" in guarded_log(guarded))
    assert "Sending CONNACK" not in guarded_log(guarded)


def guarded_log(guarded: Mosquitto) -> str:
    return (guarded.config.parent / "mosquitto.log").read_text()


def test_the_bridge_answers_prometheus_and_says_when_its_port_is_taken(run_bridge, engine, mqtt_settings):
    port = free_port()
    run_bridge(mqtt_url="mqtt://127.0.0.1:1", mqtt_metrics_port=port)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert "wearwatch_mqtt_messages_total" in answer.read().decode()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        prepare(mqtt_settings.model_copy(update={"mqtt_metrics_port": port}))(engine)


def test_the_compose_file_hands_every_setting_of_the_bridge_on():
    parts = yaml.safe_load((Path(__file__).parents[3] / "docker-compose.yml").read_text())["services"]
    ours = {f"WEARWATCH_{name.upper()}" for name in Settings.model_fields if name.startswith("mqtt_")}
    assert sorted({*ours, "WEARWATCH_MAPPING"} - {*parts["mqtt"]["environment"]}) == []
    assert "WEARWATCH_MAPPING" in parts["service"]["environment"]
    # An empty text is no path and no port: what is not set must not arrive as one.
    assert not [value for value in parts["mqtt"]["environment"].values() if value and value.endswith(":-}")]
