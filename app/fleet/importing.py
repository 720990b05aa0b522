"""Machines and events out of CSV files: the way of a plant's history into the fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from app.announce import announce
from app.csv_file import CsvRows, ImportReport, Progress, open_csv
from app.database import Bind, session_scope
from app.fleet import store
from app.fleet.event_rule import fault_of_event
from app.fleet.schemas import EventIn, MachineIn
from app.fleet.tables import EventKind
from app.settings import Settings
from app.text import LONGEST_NAME

# One transaction each: large enough to be fast, small enough that a stopped import has kept its work.
ROWS_PER_COMMIT = 2_000
MACHINE_COLUMNS = tuple(name for name in MachineIn.model_fields if name != "key")
EVENT_NEEDED = ("machine", "kind", "started_at")
EVENT_OPTIONAL = ("code", "component", "ended_at", "note")
NUMBERS: dict[str, Callable[[str], float]] = {
    "rated_power_kw": float,
    "rated_current_a": float,
    "downtime_cost_per_hour": float,
    "preventive_cost": float,
    "failure_cost": float,
    "criticality": int,
}
MAX_FUTURE: timedelta = Settings.model_fields["max_future"].default

Values = dict[str, object]
Schema = TypeVar("Schema", bound=BaseModel)
Row = TypeVar("Row")


def import_machines(bind: Bind, path: Path, progress: Progress) -> ImportReport:
    """New machines are added, known ones updated; an empty cell leaves what is stored."""
    added = kept = 0
    with open_csv(path, ("key",), progress, optional=MACHINE_COLUMNS) as rows:
        given = [name for name in rows.columns if name != "key"]
        machines = (machine.model_dump(include={"key", *given}) for _, machine, _ in _valid(rows, MachineIn))
        for chunk in _chunks(machines):
            with session_scope(bind) as session:
                new = store.upsert_machines(session, chunk, given)
                announce(session, "machine")
            added += new
            kept += len(chunk) - new
        return rows.report(added, kept)


def import_events(bind: Bind, path: Path, progress: Progress, max_future: timedelta = MAX_FUTURE) -> ImportReport:
    """Failures, services, fault codes. History keeps its own failure modes: any code of up to 100 characters."""
    added = kept = 0
    latest = datetime.now(UTC) + max_future
    with open_csv(path, EVENT_NEEDED, progress, optional=EVENT_OPTIONAL) as rows:
        for chunk in _chunks(_possible(rows, latest)):
            with session_scope(bind) as session:
                events = list(_of_known_machines(session, rows, chunk))
                new = store.insert_events(session, events) if events else 0
                store.note_decommissioning(session, _decommissioned(events))
                announce(session, "event")
            added += new
            kept += len(events) - new
        return rows.report(added, kept)


def _valid(rows: CsvRows, schema: type[Schema]) -> Iterator[tuple[int, Schema, dict[str, str]]]:
    """Rows that fit the schema of the REST endpoint, with their line and all their filled cells."""
    for line, texts in rows:
        cells = {name: text.strip() for name, text in zip(rows.columns, texts, strict=True) if text.strip()}
        values = {name: _value(name, text) for name, text in cells.items() if name in schema.model_fields}
        try:
            checked = schema.model_validate(values)
        except ValidationError as error:
            rows.reject(line, _reason(error))
            continue
        yield line, checked, cells


def _value(name: str, text: str) -> object:
    """The number a cell holds where its column holds numbers; anything else is left for the schema to refuse."""
    try:
        return NUMBERS[name](text) if name in NUMBERS else text
    except ValueError:
        return text


def _reason(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"


def _possible(rows: CsvRows, latest: datetime) -> Iterator[tuple[int, str, EventIn]]:
    for line, event, cells in _valid(rows, EventIn):
        fault = fault_of_event(event.kind, event.code, event.started_at, event.ended_at, latest)
        if fault:
            rows.reject(line, fault)
        else:
            yield line, cells.get("machine", ""), event


def _of_known_machines(
    session: Session, rows: CsvRows, chunk: Sequence[tuple[int, str, EventIn]]
) -> Iterator[Values]:
    known = store.machine_ids(session, {key for _, key, _ in chunk})
    for line, key, event in chunk:
        if key in known:
            yield {"machine_id": known[key], **event.model_dump()}
        else:
            rows.reject(line, f"There is no machine {key[:LONGEST_NAME]!r}; import machines first.")


def _decommissioned(events: Sequence[Values]) -> set[int]:
    return {int(str(event["machine_id"])) for event in events if event["kind"] == EventKind.DECOMMISSION}


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, ROWS_PER_COMMIT)):
        yield chunk
