"""The story of a write: body -> lines -> rows -> committed -> what became of every line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from app.ingest.actions import received
from app.ingest.columns import MICROSECONDS, Ints
from app.ingest.decode import Decoded
from app.ingest.group import Batch, BatchReport
from app.ingest.influx.decode import decode
from app.ingest.influx.folding import fold
from app.ingest.influx.series import KnownSeries
from app.ingest.influx.times import Precision
from app.ingest.merging import Outcome
from app.ingest.plausibility import Rejection, implausible
from app.security.principal import Principal
from app.settings import Settings


@dataclass(frozen=True)
class Write:
    """A batch, and what the answer needs to speak of lines: `first[n]` stands in the batch for line `lines[n]`."""

    batch: Batch
    lines: Ints
    first: Ints
    ignored_fields: int


def read(
    body: bytes, precision: Precision, known: KnownSeries, settings: Settings, principal: Principal, now: datetime
) -> Write:
    """Raises TooLarge. A line that cannot be true is refused by itself, before it is put together with others."""
    now_us = int(now.timestamp() * MICROSECONDS)
    said = decode(body, known, precision, now_us, settings.max_rows)
    decoded = _plausible(said.decoded, settings, now)
    folded = fold(decoded.columns)
    batch = received(replace(decoded, rows=folded.columns, index=decoded.index[folded.rows]), principal)
    return Write(batch, decoded.index, decoded.index[folded.first], said.ignored_fields)


def _plausible(decoded: Decoded, settings: Settings, now: datetime) -> Decoded:
    columns, index = decoded.columns, decoded.index
    faults = implausible(columns, now, settings.max_future)
    if not faults:
        return decoded
    rejected = [
        Rejection(int(index[row]), field, reason, columns.machine[row], columns.as_json(row))
        for row, (field, reason) in faults.items()
    ]
    good = np.setdiff1d(np.arange(len(columns)), list(faults))
    return Decoded(columns.take(good), index[good], decoded.rejected + rejected, decoded.count)


def refused_lines(write: Write, report: BatchReport) -> list[Rejection]:
    """A row that was refused by the writer refuses every line that it stands for."""
    standing = set(write.first.tolist())
    refused = {each.index: each for each in report.rejected if each.index in standing}
    followers = (
        [
            replace(refused[first], index=line)
            for line, first in zip(write.lines.tolist(), write.first.tolist(), strict=True)
            if line != first and first in refused
        ]
        if refused
        else []
    )
    return sorted([*report.rejected, *followers], key=lambda each: each.index)


def counts(write: Write, report: BatchReport, refused: Sequence[Rejection]) -> str:
    """`lines=4, accepted=1, ...` for the answer's header, since the answer itself is empty."""
    told = {outcome.name.lower(): report.counts[outcome] for outcome in Outcome}
    told |= {"lines": len(write.lines), "refused_lines": len(refused), "ignored_fields": write.ignored_fields}
    return ", ".join(f"{name}={count}" for name, count in told.items())
