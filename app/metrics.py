"""What Prometheus can count here: requests, and what became of readings."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# One more line per counter that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left out its types

# Where it names a folder, the library counts in files there, so that each of several processes can answer for all.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# Our own registry: the library's default one adds process figures twice under several workers.
REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "wearwatch_requests_total", "Answered requests.", ("method", "route", "status"), registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "wearwatch_request_seconds",
    "Time from a request's head to the end of its answer.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
READINGS = Counter(
    "wearwatch_readings_total",
    "Readings by what became of them: accepted, duplicate, merged, conflict or rejected.",
    ("outcome",),
    registry=REGISTRY,
)
MQTT_MESSAGES = Counter(
    "wearwatch_mqtt_messages_total", "Messages stored and acknowledged to the broker.", registry=REGISTRY
)
MQTT_UNWANTED = Counter(
    "wearwatch_mqtt_unwanted_total",
    "Messages of an earlier run's subscriptions, which no topic template wants: acknowledged, not stored.",
    registry=REGISTRY,
)
SIGN_INS = Counter("wearwatch_sign_ins_total", "Tries to sign in.", ("outcome",), registry=REGISTRY)


def exposition() -> bytes:
    """Prometheus' text format: the counts of every process of this service, whichever is asked."""
    if SHARED_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
