"""HTML forms as the pages send them: URL-encoded, small, read once."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from fastapi import Request

from app.errors import Malformed, TooLarge, TooSlow

FORM_TYPE = "application/x-www-form-urlencoded"
# The largest form is a few names and a note.
MOST_FORM_BYTES = 64 << 10
MOST_FIELDS = 100
SECONDS_TO_ARRIVE = 60


async def read_form(request: Request) -> dict[str, str]:
    """The fields of the form, the last of equal names; may be called again on the same request."""
    if not hasattr(request.state, "form"):
        try:
            async with asyncio.timeout(SECONDS_TO_ARRIVE):
                request.state.form = _fields(await _bounded(request))
        except TimeoutError as error:
            raise TooSlow(f"The form did not arrive within {SECONDS_TO_ARRIVE} seconds.") from error
    form: dict[str, str] = request.state.form
    return form


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise TooLarge(f"A form may have {MOST_FORM_BYTES} bytes.")
    return bytes(body)


def _fields(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Malformed("The form cannot be read.") from error
    if any("\x00" in name or "\x00" in value for name, value in fields):
        raise Malformed("The form holds a NUL character.")
    return dict(fields)
