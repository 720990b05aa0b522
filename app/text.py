"""What a text from outside may be: bounded, without characters that break a line, a log or the database."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from app.errors import BadInput

LONGEST_NAME = 100
LONGEST_NOTE = 4000
# Control, surrogate and unassigned characters, and the separators that end a line.
REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})
ALLOWED_IN_NOTES = frozenset("\n\r\t")


def single_line(text: str) -> str:
    """Raises ValueError where it holds a character that no name holds."""
    for character in text:
        if unicodedata.category(character) in REFUSED:
            raise ValueError(f"holds the control character U+{ord(character):04X}")
    return text


def several_lines(text: str) -> str:
    single_line("".join(character for character in text if character not in ALLOWED_IN_NOTES))
    return text


def address_part(text: str) -> str:
    """Raises ValueError where it could not be one part of an address like /api/v1/machines/press-07."""
    if "/" in text or text in (".", ".."):
        raise ValueError("must not hold a slash or be only dots, because it is part of addresses")
    return text


def plain_name(text: str, what: str) -> str:
    """A name typed by a person, without outer blanks. Raises BadInput naming `what` it should be."""
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_NAME:
        raise BadInput(f"{what.capitalize()} has 1 to {LONGEST_NAME} characters.")
    try:
        return address_part(single_line(text))
    except ValueError as error:
        raise BadInput(f"{what.capitalize()} {error}.") from error


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME, strip_whitespace=True),
    AfterValidator(single_line),
]
Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE), AfterValidator(several_lines)]
