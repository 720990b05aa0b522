"""HTTPS with the plant's own certificate, and how waits are told and grow. No plain text to the wrong service."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from wearwatch_client import ClientError
from wearwatch_client.connection import Connection
from wearwatch_client.retry import Backoff, asked_seconds

DATE = "Fri, 20 Nov 2026 08:00:00 GMT"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=plant "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {folder}/key.pem -out {folder}/cert.pem".split(),
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


@pytest.fixture
def secure_address(certificate: Path):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(self.headers["Authorization"]).encode())

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up on a certificate it does not trust is what is tested."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_certificate_of_the_plants_own_is_trusted_where_it_is_named(secure_address, certificate):
    connection = Connection(secure_address, "ww_secret", certificate)
    assert json.loads(connection.post("/", b"x", "text/plain").body) == "Bearer ww_secret"
    connection.close()


def test_a_certificate_nobody_vouches_for_gets_no_key(secure_address):
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(secure_address, "ww_secret").post("/", b"x", "text/plain")


def test_a_ca_file_that_is_none_is_said_at_the_start(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ClientError, match="cannot be used"):
            Connection("https://127.0.0.1", "key", tmp_path / name)


@pytest.mark.parametrize(
    ("told", "date", "seconds"),
    [
        ("17", None, 17),
        (" 5 ", DATE, 5),
        ("0", None, 0),
        ("Fri, 20 Nov 2026 08:00:30 GMT", DATE, 30),
        ("Fri, 20 Nov 2026 07:00:00 GMT", DATE, 0),
        ("99999999999999999999", None, 3600),
        ("Fri, 20 Nov 2026 08:00:30 GMT", None, None),
        ("Fri, 20 Nov 2026 08:00:30", DATE, None),
        ("-5", None, None),
        ("soon", DATE, None),
        ("nan", None, None),
        ("²", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_how_long_a_service_asks_to_wait_does_not_depend_on_our_clock(told, date, seconds):
    assert asked_seconds(told, date) == seconds


def test_waits_double_to_a_bound_a_little_at_random_and_begin_anew_after_success():
    backoff = Backoff(1, 60)
    waits = [backoff.wait(None) for _ in range(9)]
    for wait, least in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert least <= wait <= least * 1.25
    assert len(set(waits[-3:])) == 3
    assert 30 <= backoff.wait(30) <= 37.5
    assert backoff.wait(0) >= 1
    backoff.reset()
    assert backoff.wait(None) <= 1.25
    assert backoff.wait(None, at_least=60) >= 60
