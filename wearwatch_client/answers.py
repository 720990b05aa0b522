"""What an answer of the service means for the batch it answers. Pure.

Only Wearwatch's own words settle a reading. Whatever a proxy or a sign-in page says, the batch is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from wearwatch_client.kept import Refusal

COUNTS = ("accepted", "duplicates", "merged", "conflicts")
PROBLEM = "application/problem+json"
KEY_REFUSED = frozenset({401, 403})
# About the batch, not about the moment: the same again gives the same.
ABOUT_THE_BATCH = frozenset({400, 413, 422})
LONGEST_TOLD = 300


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    kind: str = ""
    retry_after: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Settled:
    """Every reading is stored or rejected for good; `rejected` by its place in the batch."""

    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[int, Refusal] = field(default_factory=dict)


@dataclass(frozen=True)
class InParts:
    """The batch as a whole was refused: send halves. What is refused alone and by Wearwatch is refused for good."""

    refusal: Refusal
    for_good: bool


@dataclass(frozen=True)
class Later:
    """Nobody knows, or not now: keep everything and send it again."""

    problem: str
    key_refused: bool = False


Verdict = Settled | InParts | Later


def judge(answer: Answer, rows: int) -> Verdict:
    document = _document(answer)
    status = answer.status
    if 200 <= status < 300:
        return _settled(document, rows) or Later(
            f"something answers {status}, but not as Wearwatch does; is the address right?"
        )
    if status in KEY_REFUSED:
        return Later(f"the key is refused ({_told(answer, document)})", key_refused=True)
    if status not in ABOUT_THE_BATCH:
        return Later(f"the service answers {_told(answer, document)}")
    rejected = _rejected(document, status)
    if len(rejected) == rows and _is_problem(answer):
        return Settled(rejected=rejected)
    return InParts(Refusal(status, None, _told(answer, document)), _is_problem(answer))


def _settled(document: Mapping[str, object], rows: int) -> Settled | None:
    """None where the counts do not account for every row that was sent."""
    counts = {name: _count(document.get(name)) for name in COUNTS}
    rejected = _rejected(document, 200)
    listed = document.get("rejected")
    whole = isinstance(listed, list) and len(listed) == len(rejected)
    if not whole or sum(counts.values()) + len(rejected) != rows or any(place >= rows for place in rejected):
        return None
    return Settled(counts, rejected)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _rejected(document: Mapping[str, object], status: int) -> dict[int, Refusal]:
    listed = document.get("rejected")
    return {
        each["index"]: Refusal(status, _text(each.get("field")), str(each.get("reason")))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and isinstance(each.get("index"), int) and each["index"] >= 0
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _document(answer: Answer) -> Mapping[str, object]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_problem(answer: Answer) -> bool:
    return answer.kind.partition(";")[0].strip().lower() == PROBLEM


def _told(answer: Answer, document: Mapping[str, object]) -> str:
    detail = document.get("detail")
    return f"{answer.status}: {detail:.{LONGEST_TOLD}}" if isinstance(detail, str) else str(answer.status)
