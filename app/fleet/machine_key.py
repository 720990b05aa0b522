"""What a machine's key may be: the name sensors use, which must fit into an address and a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from app.text import LONGEST_NAME, address_part


def checked_machine_key(key: str) -> str:
    """The key itself. Raises ValueError with what is wrong."""
    if not 1 <= len(key) <= LONGEST_NAME:
        raise ValueError(f"has 1 to {LONGEST_NAME} characters")
    if key != key.strip():
        raise ValueError("has blanks around it")
    if not key.isprintable():
        raise ValueError("holds characters that cannot be shown")
    return address_part(key)


MachineKey = Annotated[str, AfterValidator(checked_machine_key)]
