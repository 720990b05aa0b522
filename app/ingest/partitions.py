"""Partitions of `readings` and `reading_blocks`: a month each, a whole year where that is long past.

Made ahead by the worker, and by the writer when the first reading of a month arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.database import Bind, session_scope
from app.ingest.columns import Ints

PARTITION_LOCK = 7_392_841_338
# A back-fill of decades with a reading now and then would otherwise make hundreds of tables, and a statement that
# cannot tell its months locks each of them.
WHOLE_YEARS_AFTER = 2
EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
MONTHS_OF_YEAR = text("SELECT count(*) FROM pg_inherits WHERE inhrelid::regclass::text ~ :pattern")
# Dropping a partition stops all statements on its table; behind a long one (a backup) it gives up and comes again.
PATIENCE = "300ms"
PARTITIONS = text(
    """SELECT inhrelid::regclass::text FROM pg_inherits
    WHERE inhparent = to_regclass(:table) AND inhrelid::regclass::text ~ :pattern ORDER BY 1"""
)
# Nobody looks for one time or value in all blocks; ANALYZE would unpack thousands of them to count.
NO_STATISTICS = (
    "measured_at",
    "received_at",
    "temperature_c",
    "vibration_mm_s",
    "current_a",
    "runtime_hours",
    "extra",
)


def months_of(measured_us: Ints) -> set[int]:
    """Months counted from January 1970."""
    return set(np.unique(measured_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)).tolist())


def month_of(day: date) -> int:
    return (day.year - 1970) * 12 + day.month - 1


def ensure_partitions(bind: Bind, months: Iterable[int], table: str = "readings") -> None:
    """Make what is missing, in a transaction of its own; safe from several processes at once."""
    with session_scope(bind) as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
        for month in sorted(months):
            _ensure(session, table, month)


def make_ahead(bind: Bind, now: datetime) -> None:
    """This month's partition and the next one's, before the first reading has to wait for it."""
    month = month_of(now.date())
    ensure_partitions(bind, (month, month + 1))


class Partition(NamedTuple):
    name: str
    start: datetime
    end: datetime


def partitions(session: Session, table: str) -> list[Partition]:
    """Ours, in the order of time; what an administrator added, a default for instance, is left alone."""
    names = session.scalars(PARTITIONS, {"table": table, "pattern": rf"^{table}_\d{{4}}(_\d\d)?$"})
    return [_named(name, name.removeprefix(f"{table}_")) for name in names]


def _named(name: str, when: str) -> Partition:
    year, _, month = when.partition("_")
    start = (int(year) - 1970) * 12 + (int(month) - 1 if month else 0)
    return Partition(name, _start(start), _start(start + (1 if month else 12)))


def give_back(engine: Engine, until: datetime) -> list[str]:
    """Drop the partitions of `readings`, ended by `until`, that packing emptied; their names.

    VACUUM cuts a table down to no page only when no snapshot, a backup's for instance, can see a row of it: then
    dropping it loses nothing for anybody.
    """
    with session_scope(engine) as session:
        ended = [each for each in partitions(session, "readings") if each.end <= until]
        empty = [each for each in ended if not session.scalar(text(f"SELECT true FROM {each.name} LIMIT 1"))]  # noqa: S608
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for each in empty:
            connection.execute(text(f"VACUUM {each.name}"))
    return [each.name for each in empty if drop(engine, "readings", each, only_empty=True)]


def drop(
    engine: Engine,
    table: str,
    partition: Partition,
    *,
    only_empty: bool = False,
    unless: Callable[[Session], bool] = lambda session: False,
    note: Callable[[Session], None] = lambda session: None,
) -> bool:
    """Whether it is gone now, and `note` called in the same transaction; not where it is in use for long.

    `unless` is asked when nobody else writes any more.
    """
    try:
        with session_scope(engine) as session:
            session.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
            session.execute(text(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"))
            session.execute(text(f"LOCK TABLE {partition.name} IN ACCESS EXCLUSIVE MODE"))
            if only_empty and session.scalar(text("SELECT pg_relation_size(:name)"), {"name": partition.name}):
                return False
            if unless(session):
                return False
            session.execute(text(f"DROP TABLE {partition.name}"))
            note(session)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        return False
    return True


def _ensure(session: Session, table: str, month: int) -> None:
    year = 1970 + month // 12
    by_month, by_year = f"{table}_{_start(month):%Y_%m}", f"{table}_{year}"
    if any(session.scalar(EXISTS, {"name": name}) for name in (by_month, by_year)):
        return
    old = year <= datetime.now(UTC).year - WHOLE_YEARS_AFTER
    if old and not session.scalar(MONTHS_OF_YEAR, {"pattern": f"^{by_year}_"}):
        _make(session, table, by_year, (year - 1970) * 12, 12)
    else:
        _make(session, table, by_month, month, 1)


def _make(session: Session, table: str, name: str, month: int, months: int) -> None:
    # CREATE ... PARTITION OF would wait for every open transaction on the table, a backup's too; ATTACH does not.
    session.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    if table == "reading_blocks":
        columns = ", ".join(f"ALTER {column} SET STATISTICS 0" for column in NO_STATISTICS)
        session.execute(text(f"ALTER TABLE {name} {columns}"))
    bounds = f"FROM ('{_start(month)}') TO ('{_start(month + months)}')"
    session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))


def _start(month: int) -> datetime:
    return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
