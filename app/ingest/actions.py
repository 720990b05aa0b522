"""The story of a request: body -> rows -> checked and committed with others -> the report that names every row."""

from __future__ import annotations

import numpy as np

from app.errors import BadInput
from app.ingest.decode import Decoded
from app.ingest.merging import Outcome
from app.ingest.plausibility import sentence
from app.ingest.schemas import ConflictingRow, ReadingsReport, RejectedRow
from app.ingest.writing import Batch, BatchReport
from app.security.policy import Principal

MOST_CONFLICTS_SHOWN = 100


def received(decoded: Decoded, principal: Principal) -> Batch:
    """What any wire format decoded, with who sent it."""
    return Batch(decoded.columns, decoded.index, decoded.rejected, principal.actor, principal.may_register_machines)


def summarise(report: BatchReport) -> ReadingsReport:
    """Raises BadInput where not one row of the request could be stored: a sender that looks at the status only."""
    counts = np.bincount(report.outcomes, minlength=len(Outcome)).tolist()
    rejected = [
        RejectedRow(index=each.index, field=_printable(each.field), reason=_printable(each.reason) or "")
        for each in report.rejected
    ]
    if rejected and not sum(counts):
        raise BadInput(_none_stored(rejected), rejected=[row.model_dump() for row in rejected])
    return ReadingsReport(
        accepted=counts[Outcome.ACCEPTED],
        duplicates=counts[Outcome.DUPLICATE],
        merged=counts[Outcome.MERGED],
        conflicts=counts[Outcome.CONFLICT],
        rejected=rejected,
        conflicting=[
            ConflictingRow(index=each.row, channel=each.channel, stored=each.stored, refused=each.refused)
            for each in report.contradictions[:MOST_CONFLICTS_SHOWN]
        ],
    )


def _none_stored(rejected: list[RejectedRow]) -> str:
    first = sentence(rejected[0].field, rejected[0].reason)
    return first if len(rejected) == 1 else f"None of the {len(rejected)} readings was stored. The first: {first}"


def _printable(text: str | None) -> str | None:
    """Names of fields come back as sent; half a surrogate pair cannot."""
    return None if text is None else text.encode("utf-8", "replace").decode()
