"""HTML forms as the pages send them: URL-encoded, small, read once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import Request

from app.errors import Malformed, TooLarge

FORM_TYPE = "application/x-www-form-urlencoded"
# The largest form is a few names and a note.
MOST_FORM_BYTES = 64 << 10
MOST_FIELDS = 100


async def read_form(request: Request) -> dict[str, str]:
    """The fields of the form, the last of equal names; may be called again on the same request."""
    body = await request.body()
    if len(body) > MOST_FORM_BYTES:
        raise TooLarge(f"A form may have {MOST_FORM_BYTES} bytes.")
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Malformed("The form cannot be read.") from error
    if any("\x00" in name or "\x00" in value for name, value in fields):
        raise Malformed("The form holds a NUL character.")
    return dict(fields)
