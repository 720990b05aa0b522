"""Requests that another site made a browser send: refused before they change anything."""

from __future__ import annotations

import hmac

from fastapi import Request

from app.errors import NotAllowed
from app.security.forms import FORM_TYPE, read_form

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def refuse_other_sites(request: Request) -> None:
    """Browsers say where a request comes from; programs that send no such header are not browsers."""
    if request.method not in SAFE_METHODS and request.headers.get("sec-fetch-site") == "cross-site":
        raise NotAllowed("Another site sent this request.")


async def require_csrf_token(request: Request, expected: str) -> None:
    """A change asked for with a cookie must carry the session's token, in a header or a form field."""
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get("x-csrf-token")
    if given is None and request.headers.get("content-type", "").startswith(FORM_TYPE):
        given = (await read_form(request)).get("csrf_token")
    if given is None or not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise NotAllowed("The form is out of date or came from another site; reload the page and try again.")
