"""Killed, stopped, without a broker, without a database: every message with a time is stored exactly once."""

from __future__ import annotations

import signal
import threading
import time

from sqlalchemy import text

from app.ingest.mqtt import bridge
from tests.ingest.mqtt.conftest import until

TOPIC = "plant/a/press-07/readings"


def reading(second: int) -> dict[str, object]:
    return {"measured_at": f"2026-11-20T08:{second // 60:02}:{second % 60:02}Z", "temperature_c": float(second)}


def locked(engine):
    """A lock that lets nobody write readings, until the connection is closed."""
    connection = engine.connect()
    connection.execute(text("LOCK TABLE readings, rejected_readings IN EXCLUSIVE MODE"))
    return connection


def acknowledgements(broker) -> int:
    return (broker.config.parent / "mosquitto.log").read_text().count("Received PUBACK from bridge")


def test_a_bridge_killed_before_its_commit_gets_every_message_again(
    bridge_process, engine, broker, subscribed, publish, stored
):
    bridge_process.start()
    subscribed()
    publish(TOPIC, reading(0))
    until(stored)
    until(lambda: acknowledgements(broker) == 1)
    lock = locked(engine)
    for second in range(1, 41):
        publish(TOPIC, reading(second))
    time.sleep(1)
    assert acknowledgements(broker) == 1, "acknowledged before the commit"
    bridge_process.end(signal.SIGKILL)
    lock.close()
    until(lambda: nobody_writes(engine))
    bridge_process.start()
    until(lambda: len(stored()) == 41)
    until(lambda: acknowledgements(broker) >= 41)
    assert [channels for _, _, channels in stored()] == [{"temperature_c": float(n)} for n in range(41)]
    assert bridge_process.end() == 0


def test_sigterm_under_load_ends_in_order_and_the_broker_keeps_what_comes_after(
    bridge_process, subscribed, publish, stored
):
    bridge_process.start()
    subscribed()
    publisher = threading.Thread(target=lambda: [publish(TOPIC, reading(n)) for n in range(300)])
    publisher.start()
    until(stored)
    assert bridge_process.end() == 0
    publisher.join()
    for second in range(300, 320):
        publish(TOPIC, reading(second))
    bridge_process.start()
    until(lambda: len(stored()) == 320)
    assert "session=resumed" in bridge_process.said()
    assert "Traceback" not in bridge_process.said()


def test_the_broker_is_restarted(run_bridge, broker, subscribed, publish, stored):
    run_bridge()
    subscribed()
    publish(TOPIC, reading(0))
    until(stored)
    broker.stop()
    broker.start()
    for second in range(1, 20):
        publish(TOPIC, reading(second))
    until(lambda: len(stored()) == 20)


def test_values_without_a_time_keep_that_of_their_first_arrival_when_a_restarted_broker_repeats_them(
    run_bridge, broker, engine, subscribed, publish, stored, refused
):
    run_bridge()
    subscribed()
    publish("single/press-07/temperature", b"0")
    until(stored)
    lock = locked(engine)
    for value in (1, 2, 3):
        publish("single/press-07/temperature", b"%d" % value)
    log = broker.config.parent / "mosquitto.log"
    until(lambda: log.read_text().count("Sending PUBLISH to bridge (d0") == 4)
    broker.stop()
    broker.start()
    until(lambda: log.read_text().count("Sending PUBLISH to bridge (d1") == 3)
    lock.close()
    until(lambda: acknowledgements(broker) == 4)
    assert refused() == []
    assert [channels["temperature_c"] for _, _, channels in stored()] == [0, 1, 2, 3]


def test_nothing_is_acknowledged_while_the_database_is_away_and_all_is_stored_after(
    run_bridge, broker, server, engine, subscribed, publish, stored, state_of_the_bridge, monkeypatch
):
    monkeypatch.setattr(bridge, "LONG_PAUSE_SECONDS", 0.1)
    run_bridge(mqtt_sparkplug_host="wearwatch")
    subscribed()
    publish(TOPIC, reading(0))
    until(lambda: acknowledgements(broker) == 1)
    refuse_connections(server, engine, refuse=True)
    for second in range(1, 20):
        publish(TOPIC, reading(second))
    until(lambda: state_of_the_bridge == [True, False])
    assert acknowledgements(broker) == 1
    refuse_connections(server, engine, refuse=False)
    until(lambda: len(stored()) == 20)
    until(lambda: acknowledgements(broker) == 20)
    assert state_of_the_bridge == [True, False, True]


def refuse_connections(server, engine, *, refuse: bool) -> None:
    """As a server that restarts: open connections end, new ones are not let in."""
    name = engine.url.database
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not refuse}"))
        if refuse:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )


def nobody_writes(engine) -> bool:
    """What a killed process had begun is over."""
    query = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'readings'"
    with engine.connect() as connection:
        return connection.execute(text(query)).scalar() == 0
