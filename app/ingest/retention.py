"""What is kept how long: partitions and rows past their setting go, after the log and the audit log said so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.database import session_scope
from app.duration import duration_text
from app.errors import Conflict
from app.ingest.columns import EPOCH, Columns
from app.ingest.partitions import Partition, drop, partitions
from app.ingest.plausibility import Fault
from app.security.store import add_audit_entry
from app.settings import Settings

RAW = "readings"
READING_TABLES = ("readings", "reading_blocks")
# Rows of so many machines a transaction, found through the key that begins with the machine.
MACHINES_AT_ONCE = 100
UNUSED = """NOT EXISTS (SELECT FROM latest_predictions AS l WHERE l.prediction_id = old.id)
    AND NOT EXISTS (SELECT FROM plan_items AS p WHERE p.prediction_id = old.id)"""
# Setting -> the tables that hold this kind, the column of their time, and what else must hold.
KINDS = {
    "rollups": (("rollups", "rollup_minutes", "reading_flags"), "bucket_start", "true"),
    "predictions": (("predictions",), "as_of", UNUSED),
    "conflicts": (("reading_conflicts",), "received_at", "true"),
    "rejected": (("rejected_readings",), "received_at", "true"),
}
COUNT_PACKED = text("SELECT coalesce(sum(n), 0) FROM reading_blocks WHERE day >= :start AND day < :end")
WAITING = text("SELECT EXISTS (SELECT FROM touched_buckets WHERE bucket_start < :before)")
KEEP_FROM = text(
    """INSERT INTO kept_from (what, at) VALUES (:what, :at)
    ON CONFLICT (what) DO UPDATE SET at = greatest(kept_from.at, excluded.at)"""
)
# Their readings are gone in part or whole; what comes now would stand for all of them.
SPARE = text(
    """DELETE FROM taken USING kept_from WHERE kept_from.what = 'readings' AND taken.bucket_start < kept_from.at
        AND EXISTS (SELECT FROM rollups AS r
            WHERE r.machine_id = taken.machine_id AND r.bucket_start = taken.bucket_start)"""
)


@dataclass(frozen=True)
class Expired:
    """Rows of one table before a time; for readings a whole partition."""

    what: str
    table: str
    before: datetime
    rows: int
    partition: Partition | None = None


def too_old(columns: Columns, now: datetime, keep: timedelta | None) -> dict[int, Fault]:
    """Rows that retention would drop again: they are refused, so that they do not vanish without a word."""
    if keep is None:
        return {}
    oldest = now - keep
    told = f"the time lies before {oldest:%Y-%m-%d %H:%M} UTC, and readings are kept for {duration_text(keep)}"
    rows = np.flatnonzero(columns.measured_us < (oldest - EPOCH) // timedelta(microseconds=1))
    return dict.fromkeys(rows.tolist(), ("measured_at", told))


def expired(session: Session, settings: Settings, now: datetime) -> list[Expired]:
    """What the settings let go; nothing is changed. Unpacked readings are counted as the planner knows them."""
    found = list(_expired_rows(session, settings, now))
    if settings.keep_readings is not None:
        found += _expired_partitions(session, now - settings.keep_readings)
    return found


def retire(engine: Engine, settings: Settings, now: datetime, actor: str) -> Iterator[Expired]:
    """Drop what expired; yields what is gone.

    The line in the audit log is written in the transaction that drops a partition, and before the first of the rows
    go, which takes several: one cut short says more than it did, and the next round goes on.
    Readings that no roll-up has seen yet stay until one has.
    """
    with session_scope(engine) as session:
        found = expired(session, settings, now)
    for each in found:
        gone = _drop(engine, each, actor) if each.partition else _delete(engine, each, actor)
        if gone:
            yield each


def _expired_partitions(session: Session, before: datetime) -> list[Expired]:
    return [
        Expired(RAW, table, each.end, _rows_of(session, table, each), each)
        for table in READING_TABLES
        for each in partitions(session, table)
        if each.end <= before
    ]


def _expired_rows(session: Session, settings: Settings, now: datetime) -> Iterator[Expired]:
    for what, (tables, column, condition) in KINDS.items():
        keep: timedelta | None = getattr(settings, f"keep_{what}")
        for table in tables if keep is not None else ():
            count = text(f"SELECT count(*) FROM {table} AS old WHERE {column} < :before AND {condition}")  # noqa: S608
            before = now - keep if keep is not None else now
            rows = session.scalar(count, {"before": before})
            if rows:
                yield Expired(what, table, before, rows)


def spare_dropped(session: Session) -> None:
    """Take buckets whose readings retention dropped out of `taken`: their roll-ups stay as they are."""
    session.execute(SPARE)


def refuse_new_width(session: Session, made_with: int, wanted: int) -> None:
    """Raises Conflict where roll-ups of another width could not be made, for want of their readings."""
    since = session.scalar(text("SELECT at FROM kept_from WHERE what = 'readings'"))
    if since is not None:
        raise Conflict(
            f"Roll-ups are {duration_text(timedelta(seconds=made_with))} wide and cannot become "
            f"{duration_text(timedelta(seconds=wanted))} wide: readings before {since:%Y-%m-%d} were dropped by "
            f"retention. Set WEARWATCH_BUCKET={duration_text(timedelta(seconds=made_with))}."
        )


def _rows_of(session: Session, table: str, partition: Partition) -> int:
    if table == "reading_blocks":
        span = {"start": partition.start.date(), "end": partition.end.date()}
        return int(session.scalar(COUNT_PACKED, span) or 0)
    known = session.scalar(
        text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"), {"name": partition.name}
    )
    if known is None or known < 0:
        known = session.scalar(text(f"SELECT count(*) FROM {partition.name}"))  # noqa: S608
    return int(known or 0)


def _drop(engine: Engine, each: Expired, actor: str) -> bool:
    assert each.partition is not None
    waiting = partial(_waiting, before=each.before)
    with session_scope(engine) as session:
        if waiting(session):
            return False
    # Asked again with the table locked: a writer may have committed in between.
    note = partial(_note, gone=each, actor=actor)
    return drop(engine, each.table, each.partition, unless=waiting, note=note)


def _waiting(session: Session, before: datetime) -> bool:
    return bool(session.scalar(WAITING, {"before": before}))


def _delete(engine: Engine, each: Expired, actor: str) -> bool:
    _, column, condition = KINDS[each.what]
    statement = f"DELETE FROM {each.table} AS old WHERE {column} < :before AND {condition}"  # noqa: S608
    with session_scope(engine) as session:
        machines = list(session.scalars(text("SELECT id FROM machines ORDER BY id")))
        _note(session, each, actor)
    if each.table == "rejected_readings":
        with session_scope(engine) as session:
            session.execute(text(statement), {"before": each.before})
        return True
    for start in range(0, len(machines), MACHINES_AT_ONCE):
        asked = {"before": each.before, "machines": machines[start : start + MACHINES_AT_ONCE]}
        with session_scope(engine) as session:
            session.execute(text(f"{statement} AND machine_id = ANY(:machines)"), asked)
    return True


def _note(session: Session, gone: Expired, actor: str) -> None:
    session.execute(KEEP_FROM, {"what": gone.what, "at": gone.before})
    subject = gone.partition.name if gone.partition else gone.table
    add_audit_entry(session, actor, "retention", subject, {"rows": gone.rows, "before": gone.before.isoformat()})
