"""Live sensors against a small real HTTP server: nothing is lost, whatever the server answers."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.errors import BadInput
from ml.simulate import live
from ml.simulate.fleet import simulate_fleet
from ml.simulate.happenings import Happening
from ml.simulate.live import HOUR, LONGEST_BACK_FILL, MOST_UNSENT, LiveFleet, iso, run_sensors

UNTIL = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
END = int(UNTIL.timestamp())


class Service:
    """Remembers what was posted; `answers` are (status, headers) given first, then 200 for ever."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.rows: list[dict] = []
        self.events: list[tuple[str, dict]] = []
        self.keys: set[str] = set()


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            rows = [json.loads(line) for line in body.splitlines()]
            status, headers = service.answers.pop(0) if service.answers else (200, {})
            service.keys.add(self.headers["Authorization"])
            if status == 200 and self.path == "/api/v1/readings":
                service.rows += rows
            elif status == 200:
                service.events.append((self.path, rows[0]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps({"accepted": len(rows), "rejected": []}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "simulated-fleet.json"
    LiveFleet.after(simulate_fleet(6, 5, UNTIL, seed=1)).save(path)
    return path


def run(service: Service, path: Path, times: list[float], **more: object) -> list[str]:
    """Run at these clock times, one a round, then stop."""
    said: list[str] = []
    stop = threading.Event()
    left = list(times)

    def clock() -> float:
        if len(left) == 1:
            stop.set()
        return left[0]

    def wait(seconds: float) -> bool:
        left.pop(0)
        return stop.is_set()

    stop.wait = wait  # type: ignore[method-assign]
    run_sensors(service.address, "ww_sensor", path, stop=stop, say=said.append, clock=clock, **more)
    return said


def test_a_pause_is_filled_hour_by_hour_and_a_later_start_goes_on(service, saved):
    run(service, saved, [END + 10 * HOUR])
    first = len(service.rows)
    assert 6 * 6 <= first <= 6 * 10
    run(service, saved, [END + 12 * HOUR])
    assert len(service.rows) > first
    assert len({(row["machine"], row["measured_at"]) for row in service.rows}) == len(service.rows)
    assert min(row["measured_at"] for row in service.rows) >= iso(END)
    assert max(row["measured_at"] for row in service.rows) <= iso(END + 12 * HOUR)
    assert "conveyor-01" not in {row["machine"] for row in service.rows}


def test_a_reading_has_the_fields_of_the_wire_and_no_empty_ones(service, saved):
    run(service, saved, [END + 24 * HOUR])
    known = {"machine", "measured_at", "temperature_c", "vibration_mm_s", "current_a", "runtime_hours"}
    assert all(set(row) <= known and None not in row.values() for row in service.rows)
    assert service.keys == {"Bearer ww_sensor"}


def test_rows_the_service_did_not_take_are_kept_over_a_restart_and_sent_again(service, saved, tmp_path):
    shutil.copytree(saved.parent, tmp_path / "twin")
    service.answers = [(503, {"Retry-After": "7"}), (429, {}), (500, {}), (404, {})]
    for hours in (1, 2, 3, 3):
        said = run(service, saved, [END + hours * HOUR])
        assert "the service answers" in said[-1]
    assert service.rows == []
    run(service, saved, [END + 3 * HOUR])
    late, service.rows = service.rows, []
    for hours in (1, 2, 3):
        run(service, tmp_path / "twin" / saved.name, [END + hours * HOUR])
    assert late == service.rows


def test_rows_that_a_killed_process_had_queued_and_not_noted_as_queued_are_sent_the_same(service, saved):
    fleet = LiveFleet.load(saved)
    fleet.live_until(END + 2 * HOUR)
    fleet.save(saved)
    before = saved.read_bytes()
    run(service, saved, [END + 2 * HOUR])
    first, service.rows = service.rows, []
    saved.write_bytes(before)
    run(service, saved, [END + 2 * HOUR])
    assert service.rows == first != []


def test_an_unreachable_service_loses_nothing(service, saved):
    gone = Service("http://127.0.0.1:1")
    said = run(gone, saved, [END + 2 * HOUR])
    assert "no answer" in said[-1]
    assert ", 0 waiting" not in said[-1]
    run(service, saved, [END + 2 * HOUR])
    assert min(row["measured_at"] for row in service.rows) < iso(END + HOUR)


def test_a_refused_key_is_said_at_once(service, saved):
    service.answers = [(401, {})]
    with pytest.raises(BadInput, match="refuses the sensors' key"):
        run(service, saved, [END + HOUR])
    run(service, saved, [END + HOUR])
    assert service.rows


def test_while_nothing_can_be_queued_the_machines_wait_instead_of_dropping_rows(saved, monkeypatch):
    monkeypatch.setattr(live, "QUEUE_BYTES", 1 << 20)
    gone, days = Service("http://127.0.0.1:1"), 8
    fleet = LiveFleet.load(saved)
    while not fleet.live_until(END + 29 * 24 * HOUR):
        pass
    fleet.readings = fleet.readings[:1] * 2 * MOST_UNSENT
    fleet.save(saved)
    run(gone, saved, [END + 29 * 24 * HOUR + 60 * i for i in range(days)])
    assert len(LiveFleet.load(saved).readings) == 2 * MOST_UNSENT
    assert LiveFleet.load(saved).state.time == fleet.state.time


def test_a_pause_longer_than_a_month_is_filled_for_the_last_month_only(service, saved):
    fleet = LiveFleet.load(saved)
    now = END + 90 * 24 * HOUR
    while not fleet.live_until(now):
        fleet.readings.clear()
    assert fleet.state.time == now
    assert fleet.state.start < now - LONGEST_BACK_FILL


def test_what_happens_is_reported_once_begun_with_an_operators_key(service, saved):
    fleet = LiveFleet.load(saved)
    run(service, saved, [END + 3 * HOUR], operator_key="ww_operator")
    service.events.clear()
    fleet = LiveFleet.load(saved)
    begun = Happening(0, "failure", "VIB", "bearing", END + 3 * HOUR - 60, END + 9 * HOUR)
    later = Happening(0, "service", "corrective", "bearing", END + 4 * HOUR, END + 9 * HOUR)
    fleet.report([begun, later])
    fleet.save(saved)
    run(service, saved, [END + 3 * HOUR + 1], operator_key="ww_operator")
    path, body = service.events[0]
    assert (path, body["kind"], body["code"]) == ("/api/v1/machines/press-01/events", "failure", "VIB")
    assert set(body) == {"kind", "code", "component", "started_at", "ended_at", "note"}
    assert body["ended_at"] is None
    waiting = LiveFleet.load(saved).events
    assert {("failure", "VIB"), ("service", "corrective")} <= {(e["kind"], e["code"]) for e in waiting}
    run(service, saved, [END + 10 * HOUR], operator_key="ww_operator")
    told = [
        body for _, body in service.events if body["code"] == "VIB" and body["started_at"] == iso(begun.started_at)
    ]
    assert [body["ended_at"] for body in told] == [None, iso(END + 9 * HOUR)]
    repair = [body for _, body in service.events if body["started_at"] == iso(later.started_at)]
    assert [body["ended_at"] for body in repair] == [iso(END + 9 * HOUR)]
    assert iso(begun.started_at) not in {event["started_at"] for event in LiveFleet.load(saved).events}


def test_events_stay_untold_without_an_operators_key(service, saved):
    run(service, saved, [END + 48 * HOUR])
    assert service.rows
    assert service.events == []


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"state": "{}", "readings": [], "events": []}', "\x00"])
def test_a_damaged_state_file_is_one_clear_sentence(tmp_path, content):
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(BadInput, match="cannot be read"):
        LiveFleet.load(path)


def test_a_missing_state_file_says_how_to_make_one(tmp_path):
    with pytest.raises(BadInput, match="wearwatch simulate fleet"):
        LiveFleet.load(tmp_path / "none.json")


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://x", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(saved, address):
    with pytest.raises(BadInput, match="The address is none like"):
        run(Service(address), saved, [END])
