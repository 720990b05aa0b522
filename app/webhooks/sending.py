"""One POST to a receiver: bounded in time, never redirected, its body left unread.

The standard library's client, because the service's requirements hold none, and because connecting ourselves is
what lets us judge the very IP address that is connected to. It reads no proxy from the environment.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from app.webhooks.address_rule import fault_of_host, target_of
from app.webhooks.retry_rule import Answer, answer_of

# A receiver should take a message and work at it afterwards.
SECONDS = 10.0


class _Refused(OSError):
    """No address of the receiver may be connected to; the text is the sentence why."""


class _Lines(io.BufferedReader):
    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class _WholeHead(HTTPResponse):
    """The library takes the connection's end for the head's end, and half an answer for a whole one."""

    def begin(self) -> None:
        self.fp = lines = _Lines(self.fp.detach())
        super().begin()
        if lines.last not in (b"\r\n", b"\n"):
            raise RemoteDisconnected("in the midst of its head")


def post(
    address: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    loopback: bool = False,
    ca_file: Path | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Whatever the receiver does, there is an answer; its sentences hold nothing that the receiver sent."""
    try:
        return _post(urlsplit(address), headers, body, loopback, ca_file, time.monotonic() + seconds)
    except TimeoutError:
        return Answer(fault=f"It did not answer within {seconds:g} s.")
    except (OSError, HTTPException, UnicodeError) as error:
        return Answer(fault=_sentence(error))


def _post(
    parts: SplitResult,
    headers: Mapping[str, str],
    body: bytes,
    loopback: bool,
    ca_file: Path | None,
    ends_at: float,
) -> Answer:
    assert parts.hostname is not None
    tls = _tls(ca_file) if parts.scheme == "https" else None
    # Without a port the library would take the end of an IPv6 address for one.
    port = parts.port or (443 if tls else 80)
    client = HTTPSConnection(parts.hostname, port, context=tls) if tls else HTTPConnection(parts.hostname, port)
    client.response_class = _WholeHead
    connection = _connect(parts.hostname, port, loopback, ends_at)
    if tls:
        connection = tls.wrap_socket(connection, server_hostname=parts.hostname, do_handshake_on_connect=False)
    with closing(connection), _cut_at(ends_at, connection):
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        client.sock = connection
        client.request("POST", target_of(parts), body, {**headers, "Connection": "close"})
        response = client.getresponse()
        return answer_of(response.status, response.getheader("retry-after"))


@lru_cache(maxsize=1)
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise _Refused("The file that WEARWATCH_WEBHOOK_CA_FILE names cannot be read.") from error


def _connect(host: str, port: int, loopback: bool, ends_at: float) -> socket.socket:
    """To the first address that answers, of those that are allowed: a name may lead elsewhere than yesterday."""
    failed: OSError | None = None
    for family, kind, protocol, _, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        fault = fault_of_host(str(found[0]), loopback=loopback)
        if fault is not None:
            failed = failed or _Refused(fault)
            continue
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(ends_at))
            connection.connect(found)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed or socket.gaierror()


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def _cut_at(ends_at: float, connection: socket.socket) -> Iterator[None]:
    """The socket's own timeout begins anew with every byte, and a receiver could send one now and then for ever."""
    cut = threading.Event()

    def end() -> None:
        cut.set()
        with suppress(OSError):
            # Not its own shutdown, which for TLS would forget the encryption first.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(_left(ends_at), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException) as error:
        if cut.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _sentence(error: Exception) -> str:
    match error:
        case _Refused():
            return str(error)
        case socket.gaierror() | UnicodeError():
            return "Its name cannot be found."
        case ssl.SSLCertVerificationError():
            return f"Its certificate is not trusted: {error.verify_message.rstrip('.')}."
        case ssl.SSLError():
            return "No encrypted connection could be agreed on."
        case ConnectionRefusedError():
            return "It refuses connections."
        case RemoteDisconnected() | ConnectionError():
            return "It closed the connection without an answer."
        case HTTPException():
            return "What it answered is not HTTP."
        case _:
            return f"It cannot be reached: {(getattr(error, 'strerror', None) or 'no reason given').lower()}."
