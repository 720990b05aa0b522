"""The story of a request: body -> rows -> checked and committed with others -> the report that names every row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec

from app.errors import BadInput
from app.ingest.decode import Decoded
from app.ingest.group import Batch, BatchReport
from app.ingest.plausibility import Rejection, sentence
from app.security.policy import Principal

MOST_CONFLICTS_SHOWN = 100

T = TypeVar("T", str, str | None)


def received(decoded: Decoded, principal: Principal) -> Batch:
    """What any wire format decoded, with who sent it."""
    return Batch(decoded.rows, decoded.index, decoded.rejected, principal.actor, principal.may_register_machines)


def summarise(report: BatchReport) -> bytes:
    """A ReadingsReport as JSON. Raises BadInput where not one row could be stored: some look at the status only."""
    counts = report.counts
    if not report.rejected and not report.contradictions:
        return _plain(*counts)
    rejected = [
        {"index": each.index, "field": _printable(each.field), "reason": _printable(each.reason)}
        for each in report.rejected
    ]
    if rejected and not sum(counts):
        raise BadInput(_none_stored(report.rejected), rejected=rejected)
    conflicting = [
        {"index": each.row, "channel": each.channel, "stored": each.stored, "refused": each.refused}
        for each in report.contradictions[:MOST_CONFLICTS_SHOWN]
    ]
    return _as_json(counts, rejected, conflicting)


def _as_json(counts: Sequence[int], rejected: Sequence[object], conflicting: Sequence[object]) -> bytes:
    accepted, duplicates, merged, conflicts = counts
    return msgspec.json.encode(
        {
            "accepted": accepted,
            "duplicates": duplicates,
            "merged": merged,
            "conflicts": conflicts,
            "rejected": rejected,
            "conflicting": conflicting,
        }
    )


@lru_cache(maxsize=1_000)
def _plain(*counts: int) -> bytes:
    """Where there is nothing but counts to tell."""
    return _as_json(counts, (), ())


def _none_stored(rejected: list[Rejection]) -> str:
    first = sentence(_printable(rejected[0].field), _printable(rejected[0].reason))
    return first if len(rejected) == 1 else f"None of the {len(rejected)} readings was stored. The first: {first}"


def _printable(text: T) -> T:
    """Names of fields come back as sent; half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
