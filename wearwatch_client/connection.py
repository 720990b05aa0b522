"""One kept-open HTTP connection to the service. The key is sent in a header and shown nowhere."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from contextlib import suppress
from email.utils import formatdate
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from wearwatch_client.answers import Answer
from wearwatch_client.errors import ClientError, Closed

# Below this gzip saves no packet.
GZIP_FROM_BYTES = 1_000
# 1,000 readings of 180 kB become 17 kB at level 1 or 3, 14 kB at level 6 in 1.3 ms, 13 kB at level 9 in 6 ms.
GZIP_LEVEL = 6
# The longest report names every row of a batch.
MOST_ANSWER_BYTES = 16 << 20
# Without what was given, nor Python's words for it: it may hold a password.
NO_ADDRESS = "The address is none like https://wearwatch.plant:8000."


class Connection:
    """For one thread at a time; `interrupt` may come from another."""

    def __init__(
        self, url: str, key: str, ca_file: str | Path | None = None, timeout_seconds: float = 30.0
    ) -> None:
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            raise ClientError(NO_ADDRESS) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(NO_ADDRESS)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ClientError(
                "The address holds more than host, port and path; the key goes into WEARWATCH_API_KEY."
            )
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ClientError("The key is missing or has characters no key has; set WEARWATCH_API_KEY.")
        self.url = url
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "wearwatch-client"}
        self._http = _http(parts.scheme, parts.hostname, port, ca_file, timeout_seconds)
        self._lock = threading.Lock()
        self._interrupted = False

    def post(self, path: str, body: bytes, kind: str) -> Answer:
        """Raises OSError or HTTPException where no whole answer came, Closed after `interrupt`."""
        headers = self._headers | {"Content-Type": kind}
        if len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        kept_open = self._http.sock is not None
        try:
            return self._exchange(path, body, headers)
        except (ConnectionError, HTTPException):
            # The service closes what was idle for long; that says nothing about it. A new connection does.
            if not kept_open:
                raise
            return self._exchange(path, body, headers)

    def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            with self._lock:
                if self._interrupted:
                    raise Closed("The client is closed.")
            self._http.request("POST", self._path + path, body, headers)
            return _answer(self._http.getresponse())
        except BaseException:
            self.close()
            raise

    def interrupt(self) -> None:
        """Cut short what another thread waits for, and send nothing any more."""
        with self._lock:
            self._interrupted = True
        current = self._http.sock
        if current is not None:
            with suppress(OSError):
                current.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._http.close()


def _http(scheme: str, host: str, port: int | None, ca_file: str | Path | None, timeout: float) -> HTTPConnection:
    # Without a port http.client would look for one in an IPv6 address.
    if scheme == "http":
        return HTTPConnection(host, port or 80, timeout=timeout)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ClientError(f"The CA file {ca_file} cannot be used: {error}.") from error
    return HTTPSConnection(host, port or 443, timeout=timeout, context=context)


def _answer(response: HTTPResponse) -> Answer:
    body = response.read(MOST_ANSWER_BYTES)
    if response.length or response.read(1):
        raise HTTPException("the answer broke off, or is too long")
    header = response.getheader
    return Answer(
        response.status,
        body,
        header("Content-Type") or "",
        header("Retry-After"),
        header("Date") or formatdate(usegmt=True),
    )
