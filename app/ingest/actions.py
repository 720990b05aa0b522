"""The story of a request: body -> plausible rows -> committed -> the report that names every row."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from app.errors import BadInput
from app.ingest.decode import Decoded, decode
from app.ingest.merging import Outcome
from app.ingest.plausibility import Rejection, implausible, sentence
from app.ingest.schemas import ConflictingRow, ReadingsReport, RejectedRow
from app.ingest.writing import Batch, BatchReport
from app.metrics import READINGS
from app.security.policy import Principal
from app.settings import Settings

MOST_CONFLICTS_SHOWN = 100


def prepare(body: bytes, content_type: str, settings: Settings, principal: Principal, now: datetime) -> Batch:
    """Decode and check. Raises Malformed or BadInput where the request as a whole cannot be."""
    return checked(decode(body, content_type, settings.max_rows), settings, principal, now)


def checked(decoded: Decoded, settings: Settings, principal: Principal, now: datetime) -> Batch:
    """What any wire format decoded -> plausible rows, and the others with their reason."""
    columns, index, rejected = decoded.columns, decoded.index, decoded.rejected
    faults = implausible(columns, now, settings.max_future)
    if faults:
        rejected = rejected + [
            Rejection(int(index[row]), field, reason, columns.machine[row], columns.as_json(row))
            for row, (field, reason) in faults.items()
        ]
        good = np.setdiff1d(np.arange(len(columns)), np.array(list(faults)))
        columns, index = columns.take(good), index[good]
    return Batch(columns, index, rejected, principal.actor, principal.may_register_machines)


def summarise(report: BatchReport) -> ReadingsReport:
    """Raises BadInput where not one row of the request could be stored: a sender that looks at the status only."""
    counts = np.bincount(report.outcomes, minlength=len(Outcome)).tolist()
    for outcome in Outcome:
        READINGS.labels(outcome.name.lower()).inc(counts[outcome])
    READINGS.labels("rejected").inc(len(report.rejected))
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
