"""The ways in which InfluxDB's clients send a key, turned into the one that every policy reads. Pure."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qs

from starlette.types import Scope


def send_as_bearer(scope: Scope) -> None:
    """`Token KEY`, `Token user:KEY`, Basic with the key as password, and `?u=...&p=KEY` of the version 1 routes.

    As with InfluxDB, what stands in the address comes before the header. It is no good place for a secret, since
    proxies write addresses down; clients of version 1 know no other, and we never log a query.
    """
    key = _in_query(scope) if scope["path"] in ("/write", "/query") else None
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    if key is None:
        key = _in_header(next((value for name, value in scope["headers"] if name == b"authorization"), b""))
    if key:
        scope["headers"] = [*headers, (b"authorization", b"Bearer " + key)]


def _in_query(scope: Scope) -> bytes | None:
    if b"p=" not in scope["query_string"]:
        return None
    given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=None).get("p")
    return given[-1].encode("ascii", "replace") if given else None


def _in_header(header: bytes) -> bytes | None:
    """None where the header is none of InfluxDB's; then it stays as it came."""
    scheme, _, given = header.strip().partition(b" ")
    if scheme.lower() == b"token":
        return given.strip().rpartition(b":")[2]
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(given, validate=True).rpartition(b":")[2]
        except binascii.Error:
            return None
    return None
