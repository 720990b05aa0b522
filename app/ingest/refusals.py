"""The kinds of reasons why rows are refused, so that they can be counted. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from app.ingest.plausibility import Rejection

# The first whose words are in the reason; every wire format uses the sentences of the same few rules.
KINDS: Sequence[tuple[str, re.Pattern[str]]] = tuple(
    (kind, re.compile(words))
    for kind, words in (
        ("future", "in the future"),
        ("past", "lies in the year"),
        ("unknown_machine", "machine is not known"),
        ("unit", r"r\.m\.s\. value and|needs the frequency|in two units|in another unit|is a unit of|^the unit "),
        ("range", "is the unit right|can be measured"),
        ("unknown_field", "unknown field"),
        ("not_a_number", "is not a measurement|number is needed|invalid number|unable to parse"),
        ("empty", "holds no value"),
    )
)
BY_FIELD = {"machine": "machine", "measured_at": "time"}
OTHER = "form"
ALL_KINDS = (*(kind for kind, _ in KINDS), *BY_FIELD.values(), OTHER)
# The machine of rows whose machine is not known or not said.
NO_MACHINE = 0

# The sender's place in a batch, a machine's id, a kind.
Refused = tuple[int, int, str]


def kind_of(field: str | None, reason: str) -> str:
    found = next((kind for kind, words in KINDS if words.search(reason)), None)
    return found or BY_FIELD.get(field or "", OTHER)


def count_refused(rejected: Sequence[Sequence[Rejection]], ids: Mapping[str, int]) -> Counter[Refused]:
    """How many rows of each sender, machine and kind; `rejected` has one list a sender."""
    return Counter(
        (number, ids.get(row.machine or "", NO_MACHINE), kind_of(row.field, row.reason))
        for number, rows in enumerate(rejected)
        for row in rows
    )
