"""A real receiver on this host: does what a test tells it, one behaviour a request, then takes everything."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    port: int
    requests: list = field(default_factory=list)
    behaviours: list = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    def address(self, path="/hook", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def wait_for(self, count):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, 20), len(self.requests)

    @property
    def ids(self):
        return [headers["webhook-id"] for _, headers, _ in self.requests]


def status(code, headers=()):
    def answer(handler, receiver):
        handler.send_response(code)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def silent(handler, receiver):
    receiver.over.wait(20)


def taken_without_end(handler, receiver):
    cut_off(handler, receiver)
    silent(handler, receiver)


def dripping(handler, receiver):
    """One byte of its answer now and then, for ever."""
    with suppress(OSError):
        while not receiver.over.wait(0.02):
            handler.wfile.write(b"H")


def endless(handler, receiver):
    """Taken, and then a body without end; it notices that nobody listens."""
    status(200)(handler, receiver)
    try:
        while not receiver.over.is_set():
            handler.wfile.write(b"x" * 65536)
    except OSError:
        receiver.cut_off = True


def closing(handler, receiver):
    pass


def cut_off(handler, receiver):
    """It says that it took the message, and its head never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nServer: x\r\n")


def garbage(handler, receiver):
    handler.wfile.write(b"secret words of the receiver\r\n\r\n")


def held_until(event, code=204):
    def answer(handler, receiver):
        assert event.wait(20)
        status(code)(handler, receiver)

    return answer


@contextmanager
def receiving(wrap=None):
    receiver = Receiver(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.arrived:
                behaviour = receiver.behaviours.pop(0) if receiver.behaviours else status(204)
                receiver.requests.append((self.path, dict(self.headers), body))
                receiver.arrived.notify_all()
            with suppress(ConnectionError):
                behaviour(self, receiver)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A client that hangs up is what half of the tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if wrap:
        server.socket = wrap(server.socket)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
