"""Whatever a receiver does, sending to it ends in time with one sentence that holds nothing of its answer."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time

import pytest

from app.webhooks import sending
from app.webhooks.sending import post

from .receiver import closing, cut_off, dripping, endless, garbage, receiving, silent, status, taken_without_end

BODY = '{"type":"webhook.test","data":"ü"}'.encode()


def send(address, **given):
    return post(address, {"Content-Type": "application/json"}, BODY, **({"loopback": True} | given))


def test_the_body_arrives_as_it_was_signed(receiver):
    assert send(receiver.address("/hook?token=abc")).status == 204
    path, headers, body = receiver.requests[0]
    assert (path, body, headers["Host"]) == ("/hook?token=abc", BODY, f"127.0.0.1:{receiver.port}")


@pytest.mark.parametrize("behaviour", [silent, dripping, taken_without_end])
def test_one_that_never_finishes_its_answer_is_given_up_in_time(receiver, behaviour):
    receiver.behaviours = [behaviour]
    begun = time.monotonic()
    assert send(receiver.address(), seconds=0.3).fault == "It did not answer within 0.3 s."
    assert time.monotonic() - begun < 5


def test_a_redirect_is_not_followed(receiver):
    receiver.behaviours = [status(307, [("Location", "/elsewhere")])]
    answer = send(receiver.address())
    assert (answer.status, "redirects are not followed" in answer.fault) == (307, True)
    assert len(receiver.requests) == 1


def test_a_body_without_end_is_left_unread(receiver):
    receiver.behaviours = [endless]
    assert send(receiver.address(), seconds=5) == sending.answer_of(200, None)


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        (closing, "It closed the connection without an answer."),
        (cut_off, "It closed the connection without an answer."),
        (garbage, "What it answered is not HTTP."),
        (status(500), "It answered 500."),
        (status(200, [("X", "y" * 70_000)]), "What it answered is not HTTP."),
        (status(200, [(f"X-{number}", "y") for number in range(200)]), "What it answered is not HTTP."),
    ],
)
def test_a_broken_answer_is_one_sentence(receiver, behaviour, sentence):
    receiver.behaviours = [behaviour]
    assert send(receiver.address()).fault == sentence


def test_nobody_there_is_one_sentence():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
        assert send(address).fault == "It refuses connections."
    assert send("http://no-such-host.invalid/").fault == "Its name cannot be found."
    assert send(f"http://{'x' * 70}.invalid/").fault == "Its name cannot be found."


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_this_host_is_not_connected_to_however_it_is_written(receiver, host):
    assert "WEARWATCH_WEBHOOK_LOOPBACK" in send(receiver.address(host=host), loopback=False).fault
    assert receiver.requests == []


def test_a_name_is_judged_by_what_it_leads_to_at_that_moment(receiver, monkeypatch):
    """It led to an allowed host when the webhook was made; now it leads to a metadata service."""

    def elsewhere(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(sending.socket, "getaddrinfo", elsewhere)
    assert "169.254.169.254 is a link-local" in send("http://cmms.plant.example/").fault


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://[fd00::5]/x", ("fd00::5", 80)),
        ("http://[fd00::a]/x", ("fd00::a", 80)),
        ("https://[fd00::5]/x", ("fd00::5", 443)),
        ("https://[fd00::5]:8443/x", ("fd00::5", 8443)),
    ],
)
def test_an_ipv6_receiver_is_asked_at_its_port(monkeypatch, address, asked):
    seen = []

    def nowhere(host, port, **_):
        seen.append((host, port))
        raise socket.gaierror

    monkeypatch.setattr(sending.socket, "getaddrinfo", nowhere)
    assert send(address).fault == "Its name cannot be found."
    assert seen == [asked]


def test_an_ipv6_receiver_is_named_in_brackets(receiver, monkeypatch):
    real = socket.getaddrinfo("127.0.0.1", receiver.port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(sending.socket, "getaddrinfo", lambda *_, **__: real)
    assert send("http://[fd00::5]/x").status == 204
    assert receiver.requests[0][1]["Host"] == "[fd00::5]"


def test_of_several_addresses_an_allowed_one_is_taken(receiver, monkeypatch):
    real = socket.getaddrinfo

    def both(host, port, **given):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.1.1", port)), *real(host, port, **given)]

    monkeypatch.setattr(sending.socket, "getaddrinfo", both)
    assert send(receiver.address()).status == 204


def test_no_proxy_of_the_environment_is_asked(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert send(receiver.address()).status == 204


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(key), "-out", str(cert)]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with receiving(lambda plain: context.wrap_socket(plain, server_side=True)) as receiver:
        yield receiver


def https(receiver, host="localhost"):
    return receiver.address(host=host).replace("http:", "https:")


def test_a_certificate_of_the_plants_own_authority_is_trusted_where_the_setting_names_it(secure, certificate):
    assert send(https(secure), ca_file=certificate[0]).status == 204
    assert secure.requests[0][2] == BODY


def test_an_unknown_certificate_or_another_name_is_not_trusted(secure, certificate):
    assert send(https(secure)).fault.startswith("Its certificate is not trusted: ")
    assert send(https(secure, "127.0.0.1"), ca_file=certificate[0]).fault.startswith(
        "Its certificate is not trusted"
    )
    assert secure.requests == []


def test_a_slow_encrypted_answer_is_cut_off_too(secure, certificate):
    secure.behaviours = [dripping]
    fault = send(https(secure), ca_file=certificate[0], seconds=1.0).fault
    assert fault == "It did not answer within 1 s."


def test_a_receiver_without_encryption_or_a_missing_ca_file_is_one_sentence(receiver, tmp_path):
    assert send(https(receiver)).fault == "No encrypted connection could be agreed on."
    missing = send(https(receiver), ca_file=tmp_path / "none.pem").fault
    assert missing == "The file that WEARWATCH_WEBHOOK_CA_FILE names cannot be read."


def test_no_thread_is_left_behind(receiver):
    before = threading.active_count()
    for _ in range(5):
        send(receiver.address())
    assert threading.active_count() <= before + 5
