"""Monthly partitions of `readings`, made when the first reading of a month arrives."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import Bind, session_scope
from app.ingest.columns import Ints

PARTITION_LOCK = 7_392_841_338
EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")


def months_of(measured_us: Ints) -> set[int]:
    """Months counted from January 1970."""
    return set(np.unique(measured_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)).tolist())


def ensure_partitions(bind: Bind, months: set[int]) -> None:
    """Make what is missing, in a transaction of its own; safe from several processes at once."""
    with session_scope(bind) as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
        for month in sorted(months):
            _ensure(session, month)


def _ensure(session: Session, month: int) -> None:
    first, following = _start(month), _start(month + 1)
    name = f"readings_{first:%Y_%m}"
    if session.scalar(EXISTS, {"name": name}):
        return
    # CREATE ... PARTITION OF would wait for every open transaction on `readings`, a backup's too; ATTACH does not.
    session.execute(text(f"CREATE TABLE {name} (LIKE readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    session.execute(
        text(f"ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{following}')")
    )


def _start(month: int) -> datetime:
    return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
