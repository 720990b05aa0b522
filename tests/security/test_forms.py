import asyncio

import pytest
from fastapi import Request

from app.errors import TooLarge
from app.security.forms import MOST_FORM_BYTES, read_form


def test_a_form_without_end_is_refused_as_soon_as_it_is_too_large():
    """Direct routes stand outside the limit of bodies, and ask for a form's token before they know the role."""
    taken = 0

    async def endless():
        nonlocal taken
        taken += 1 << 14
        return {"type": "http.request", "body": b"a" * (1 << 14), "more_body": True}

    with pytest.raises(TooLarge):
        asyncio.run(read_form(Request({"type": "http", "headers": []}, endless)))
    assert taken <= MOST_FORM_BYTES + (1 << 14)
