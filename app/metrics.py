"""What Prometheus can count here: requests, and what became of readings."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

# One more line per counter that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left out its types

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
SIGN_INS = Counter("wearwatch_sign_ins_total", "Tries to sign in.", ("outcome",), registry=REGISTRY)
