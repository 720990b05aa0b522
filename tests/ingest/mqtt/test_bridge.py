"""From a real broker into the database: stored once, acknowledged after the commit, through every outage."""

from __future__ import annotations

from sqlalchemy import text

from tests.ingest.mqtt.conftest import until

AT = "2026-11-20T08:00:00Z"


def test_a_reading_in_our_own_shape_is_stored(run_bridge, subscribed, publish, stored):
    run_bridge()
    subscribed()
    publish("plant/a/press-07/readings", {"machine": "press-07", "measured_at": AT, "temperature_c": 61.2})
    until(stored)
    assert stored() == [("press-07", "2026-11-20 08:00:00", {"temperature_c": 61.2})]


def test_the_topic_names_the_machine_where_the_message_does_not(run_bridge, subscribed, publish, stored):
    run_bridge()
    subscribed()
    publish("plant/a/press-07/readings", {"measured_at": AT, "temp_f": 212, "extra": {"pressure_bar": 5.4}})
    publish("single/press-08/temperature_c", {"value": 61.2, "ts": 1763625600000})
    until(lambda: len(stored()) == 2)
    assert stored() == [
        ("press-07", "2026-11-20 08:00:00", {"temperature_c": 100.0, "pressure_bar": 5.4}),
        ("press-08", "2025-11-20 08:00:00", {"temperature_c": 61.2}),
    ]


def test_a_bare_number_is_measured_when_it_arrives(run_bridge, subscribed, publish, engine):
    run_bridge()
    subscribed()
    publish("single/press-07/vibration_mm_s", b"2.5", qos=0)
    query = text("SELECT vibration_mm_s, now() - measured_at < '10 s' FROM readings")
    assert until(lambda: rows(engine, query)) == [(2.5, True)]


def test_a_bare_number_that_the_broker_kept_is_refused(run_bridge, publish, refused, stored):
    publish("single/press-07/current_a", b"14", retain=True)
    run_bridge()
    [(reason, payload)] = until(refused)
    assert "says no time" in reason
    assert payload == "single/press-07/current_a 14"
    assert stored() == []


def test_messages_that_cannot_be_understood_are_kept_with_their_reason_and_block_nothing(
    run_bridge, subscribed, publish, refused, stored
):
    run_bridge(mqtt_max_message_bytes=2000)
    subscribed()
    topic = "plant/a/press-07/readings"
    good = {"machine": "press-07", "measured_at": AT, "temperature_c": 61.2}
    publish(topic, b"\xff\x00not json")
    publish(topic, good | {"machine": "press-99"})
    publish(topic, b"[" * 1500)
    publish(topic, b"x" * 3000)
    publish("spBv1.0/g/NDATA/n", b"\xff\xff")
    publish(topic, good)
    until(stored)
    reasons = [reason for reason, _ in until(lambda: len(refused()) == 5 and refused())]
    assert [word in reason for word, reason in zip(REFUSALS, reasons, strict=True)] == [True] * 5, reasons
    assert "\N{REPLACEMENT CHARACTER}not json" in refused()[0][1]


REFUSALS = ("not JSON", "another machine than its topic", "nested too deeply", "3,000 bytes", "not Sparkplug B")


def test_every_refused_message_stands_in_the_ledger_however_many_come_at_once(
    run_bridge, subscribed, engine, connect, broker
):
    run_bridge()
    client = connect(broker, "many")
    subscribed()
    sent = [client.publish("plant/a/press-07/readings", b"%d?" % number, 1) for number in range(1500)]
    sent[-1].wait_for_publish(20)
    query = text("SELECT count(DISTINCT payload) FROM rejected_readings WHERE sender = 'mqtt bridge'")
    until(lambda: rows(engine, query) == [(1500,)])


def test_what_an_earlier_run_subscribed_to_is_left_and_fills_no_ledger(
    run_bridge, subscribed, broker, publish, stored, refused
):
    first = run_bridge()
    subscribed()
    first.stop()
    log = broker.config.parent / "mosquitto.log"
    until(lambda: "Received DISCONNECT from bridge" in log.read_text())
    good = {"measured_at": AT, "temperature_c": 61.2}
    publish("plant/a/press-07/readings", good)
    run_bridge(mqtt_topics="other/{machine}/x", mqtt_sparkplug_group="")
    until(lambda: "Sending UNSUBACK to bridge" in log.read_text())
    publish("plant/a/press-07/readings", good)
    publish("other/press-08/x", good)
    until(stored)
    assert (stored()[0][0], refused()) == ("press-08", [])
    assert log.read_text().count("Sending PUBLISH to bridge") == log.read_text().count("PUBACK from bridge") == 2


def rows(engine, query) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]
