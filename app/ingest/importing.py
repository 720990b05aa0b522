"""Readings from a CSV file: the same checks and the same store as for requests, in chunks, each committed."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from app.csv_file import CsvRows, ImportReport, Progress, Row, open_csv
from app.database import Bind
from app.errors import BadInput
from app.ingest.csv_columns import KEYS, Times, parse_rows
from app.ingest.group import Batch, BatchReport
from app.ingest.merging import Outcome
from app.ingest.plausibility import channel_fault, sentence
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import REFUSED
from app.ingest.writing import Writer
from app.settings import Settings

ROWS_PER_COMMIT = 20_000
TIMES_WITHOUT_ZONE = "Times without a zone were taken as UTC."


def import_readings(bind: Bind, settings: Settings, path: Path, progress: Progress) -> ImportReport:
    """Store what is new; every chunk is committed, so a broken run is simply started again.

    `machine` and `measured_at` (ISO 8601, UTC where it names no zone) are needed; the named channels are known, any
    other column is an extra channel. A blank cell was not measured. Unknown machines are registered.
    """
    times = Times()
    counts = np.zeros(len(Outcome), dtype=np.int64)
    with open_csv(path, KEYS, progress) as rows, closing(Writer(bind, settings)) as writer:
        _check_channels(rows)
        lines = iter(rows)
        while chunk := list(islice(lines, ROWS_PER_COMMIT)):
            report = _store(rows, chunk, times, writer)
            counts += report.counts
        added, same, merged, conflicts = counts.tolist()
        return rows.report(added, same, merged=merged, conflicts=conflicts, notes=_notes(rows, times))


def _notes(rows: CsvRows, times: Times) -> tuple[str, ...]:
    kept = [f"{name} was stored as an extra channel: {REFUSED[name]}." for name in rows.columns if name in REFUSED]
    return (*([TIMES_WITHOUT_ZONE] if times.without_zone else []), *kept)


def _check_channels(rows: CsvRows) -> None:
    channels = [name for name in rows.columns if name not in KEYS]
    if not channels:
        raise BadInput(f"{rows.path.name} has no column with a channel, such as temperature_c.")
    for name in channels:
        fault = None if name in CORE_CHANNELS else channel_fault(name)
        if fault:
            raise BadInput(f"{rows.path.name} has the column {name[:40]!r}, but {fault}.")


def _store(rows: CsvRows, chunk: list[Row], times: Times, writer: Writer) -> BatchReport:
    parsed = parse_rows(chunk, rows.columns, times)
    lines = np.array(parsed.lines, dtype=np.int64)
    [report] = writer.write([Batch(parsed.columns, lines, [], f"import {rows.path.name}"[:200], may_register=True)])
    faults = parsed.faults | {each.index: sentence(each.field, each.reason) for each in report.rejected}
    for line in sorted(faults):
        rows.reject(line, faults[line])
    for each in report.contradictions:
        told = f"{each.channel}: {each.stored:g} is stored already; {each.refused:g} is kept among the conflicts."
        rows.note(each.row, told)
    return report
