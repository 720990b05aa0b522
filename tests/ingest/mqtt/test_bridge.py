"""From a real broker into the database: stored once, acknowledged after the commit, through every outage."""

from __future__ import annotations

from tests.ingest.mqtt.conftest import until

AT = "2026-11-20T08:00:00Z"


def test_a_reading_in_our_own_shape_is_stored(run_bridge, subscribed, publish, stored):
    run_bridge()
    subscribed()
    publish("plant/a/press-07/readings", {"machine": "press-07", "measured_at": AT, "temperature_c": 61.2})
    until(stored)
    assert stored() == [("press-07", "2026-11-20 08:00:00", {"temperature_c": 61.2})]
