"""The real `influxdb-client` package, through its batching API, against the running service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from sqlalchemy import text

from tests.ingest.influx.conftest import NOON, NS

MACHINES = 20
SECONDS = 20


@pytest.fixture
def address(application) -> Iterator[str]:
    """The service on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def token(client, send_as) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")


def points(seconds: int = SECONDS) -> Iterator[Point]:
    """A point for each channel, as many programs send them, with a text that every sensor's batch has."""
    for second in range(seconds):
        for machine in range(MACHINES):
            for field, value in (("temperature_c", 61.25), ("vibration_mm_s", 2.1), ("pressure_bar", 5)):
                point = (
                    Point("motor").tag("machine", f"press {machine:02}").tag("line", "a=b,c").field(field, value)
                )
                yield point.field("state", 'all "ok"').time((NOON + second) * NS)


@pytest.mark.parametrize("gzip", [False, True])
def test_what_the_batching_api_says_it_wrote_is_stored(address, token, engine, gzip):
    batches: list[str] = []
    errors: list[object] = []
    options = WriteOptions(batch_size=250, flush_interval=200, retry_interval=100)
    with (
        InfluxDBClient(address, token=token, org="plant", enable_gzip=gzip) as client,
        client.write_api(
            options,
            success_callback=lambda _, data: batches.append(data),
            error_callback=lambda _, __, error: errors.append(error),
        ) as writing,
    ):
        writing.write("sensors", record=points())
    assert (len(batches) >= 4, errors) == (True, [])
    with engine.connect() as connection:
        counted = connection.execute(
            text("""SELECT count(*), sum(temperature_c), sum(vibration_mm_s), sum((extra->>'pressure_bar')::float8)
                FROM readings JOIN machines ON id = machine_id WHERE key LIKE 'press %'""")
        ).one()
        conflicts = connection.scalar(text("SELECT count(*) FROM reading_conflicts"))
    rows = MACHINES * SECONDS
    assert tuple(counted) == (rows, pytest.approx(61.25 * rows), pytest.approx(2.1 * rows), 5 * rows)
    assert conflicts == 0


def test_a_busy_service_is_tried_again_after_the_time_it_names(address, token, engine, application, monkeypatch):
    monkeypatch.setattr(application.state.committer._live, "most_requests", 0)
    monkeypatch.setattr(application.state.committer._live, "retry_after", 1)
    heard: list[str] = []
    options = WriteOptions(batch_size=60, flush_interval=50, retry_interval=100, max_retry_delay=2_000)
    with (
        InfluxDBClient(address, token=token, org="plant") as client,
        client.write_api(
            options,
            retry_callback=lambda *_: heard.append("again") or monkeypatch.undo(),
            success_callback=lambda *_: heard.append("stored"),
        ) as writing,
    ):
        writing.write("sensors", record=points(1))
    assert heard == ["again", "stored"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM readings")) == MACHINES


def test_a_partial_write_is_told_to_the_client_and_the_good_lines_are_stored(address, token, engine):
    with InfluxDBClient(address, token=token, org="plant") as client:
        writing = client.write_api(SYNCHRONOUS)
        lines = [f"motor,machine=a temperature_c=61 {NOON}", f"motor,machine=b temperature_c=9999 {NOON}"]
        with pytest.raises(ApiException, match=r"line 2: temperature_c: 9999 is above 2000") as refused:
            writing.write("sensors", record=lines, write_precision=WritePrecision.S)
    assert refused.value.status == 400
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM readings")) == 1


def test_a_wrong_token_is_told(address, token):
    with InfluxDBClient(address, token=f"{token}x", org="plant") as client, pytest.raises(ApiException) as refused:
        client.write_api(SYNCHRONOUS).write("sensors", record=next(points()))
    assert (refused.value.status, "unknown, expired or revoked" in refused.value.body) == (401, True)


def test_the_client_finds_the_service_alive(address, token):
    with InfluxDBClient(address, token=token, org="plant") as client:
        assert client.ping()
        assert client.version() == "1.8.10"
        with pytest.warns(DeprecationWarning, match="deprecated"):
            assert client.health().status == "pass"
