"""The sender of the ingest benchmarks, against a service that is as slow and as wordy as the test wants."""

from __future__ import annotations

import socketserver
import threading
import time

import pytest

from bench.load import Order, send
from bench.series import Slice


@pytest.fixture
def service():
    """Answers each request in two parts after `seconds`, one connection at a time in a thread of its own."""

    class Slow(socketserver.StreamRequestHandler):
        def handle(self):
            while head := self.rfile.readline():
                length = 0
                while head.strip():
                    if head.lower().startswith(b"content-length:"):
                        length = int(head.split(b":")[1])
                    head = self.rfile.readline()
                self.server.seen.append(self.rfile.read(length))
                time.sleep(self.server.seconds)
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                self.wfile.write(b"ngth: 2\r\n\r\nok")

    class Service(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        seconds = 0.0

    with Service(("127.0.0.1", 0), Slow) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def order(service, connections, requests_a_second=0.0):
    head = "POST / HTTP/1.1\r\nHost: here\r\n"
    piece = Slice("p", 1_760_000_000_000, 0, 200)
    return Order(service.server_address[1], head, "json", piece, 10, connections, requests_a_second)


def test_every_request_is_sent_once_and_every_answer_counted(service):
    sent = send(order(service, connections=3))
    assert sent.answers == {"200 ok": 20}
    assert len(set(service.seen)) == 20


def test_a_late_answer_delays_the_requests_behind_it_and_their_latency_says_so(service):
    service.seconds = 0.05
    sent = send(order(service, connections=1, requests_a_second=40))
    # Each takes 50 ms but one is due every 25 ms, so the wait grows by 25 ms from request to request.
    assert sent.latencies_ms[-1] > 19 * 25
    assert sent.latencies_ms == sorted(sent.latencies_ms)


def test_requests_on_a_schedule_are_not_sent_before_they_are_due(service):
    sent = send(order(service, connections=4, requests_a_second=50))
    assert sent.seconds >= 19 / 50
