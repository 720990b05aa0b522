"""The worker's half of packing: machine after machine and day after day, old readings become blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import session_scope
from app.errors import Conflict
from app.ingest.packing import COLUMNS, LOCK_CLASS, SLOTS, MachineDay, unpack
from app.ingest.partitions import ensure_partitions, give_back, month_of
from app.ingest.tables import CORE_CHANNELS

log = structlog.get_logger()

# A back-fill comes in many batches; its day is packed once, when nothing came for so long.
QUIET = timedelta(hours=1)
# Keeps the lock that late senders of these machines wait for within a fraction of a second.
ROWS_AT_ONCE = 50_000
# PostgreSQL builds no array and no row beyond 1 GiB, and every array of a block is once in memory as a whole.
MOST_BYTES_A_BLOCK = 200_000_000
# Bytes of a reading in the arrays of a block, but for `extra`.
BYTES_A_ROW = 8 * (2 + len(CORE_CHANNELS))
# Limits of the server, values it cannot take, not enough memory: the next day may well be packed.
OF_THE_DATA = ("54", "22", "53200")

# The first unpacked day of each machine from `since` on: one look-up a machine in the oldest partition that has it.
NEXT_DAYS = text(
    """SELECT machine_id, (oldest.measured_at AT TIME ZONE 'UTC')::date
    FROM unnest(CAST(:machines AS int[]), CAST(:since AS timestamptz[])) AS each (machine_id, since)
    CROSS JOIN LATERAL (
        SELECT measured_at FROM readings AS r WHERE r.machine_id = each.machine_id
            AND r.measured_at >= each.since AND r.measured_at < :until
        ORDER BY measured_at LIMIT 1
    ) AS oldest"""
)
LOCK_SLOT = text("SELECT pg_advisory_xact_lock(:class, :slot)")
OF_DAY = "r.machine_id = ANY(:machines) AND r.measured_at >= :start AND r.measured_at < :end"
# `|| '{}'` is the size unpacked: arrays hold their elements so.
QUIET_MACHINES = text(
    f"""SELECT machine_id, count(*), coalesce(sum(pg_column_size(extra || '{{}}')), 0) FROM readings AS r
    WHERE {OF_DAY}
    GROUP BY machine_id HAVING max(received_at) < :quiet_since ORDER BY machine_id"""  # noqa: S608
)
PACKED_ALREADY = text(
    """SELECT machine_id, day FROM reading_blocks WHERE machine_id = ANY(:machines) AND day = :day
    ORDER BY machine_id"""
)


def _together(column: str) -> str:
    """NULL for a channel that no reading of the day has."""
    return f"CASE WHEN count({column}) > 0 THEN array_agg({column} ORDER BY measured_at) END"


PACK = text(
    f"""INSERT INTO reading_blocks (machine_id, day, n, {", ".join(COLUMNS)})
    SELECT machine_id, :day, count(*), {", ".join(map(_together, COLUMNS))}
    FROM readings AS r WHERE {OF_DAY} GROUP BY machine_id"""  # noqa: S608
)
# `*=` compares the bytes of two records: every digit, a missing value and a minus before a zero.
SAME = text(
    f"""SELECT count(*) FILTER (WHERE r *= b), count(*)
    FROM (SELECT machine_id, {", ".join(COLUMNS)} FROM readings AS r WHERE {OF_DAY}) AS r
    FULL JOIN (
        SELECT machine_id, {", ".join(f"unnest({c}) AS {c}" for c in COLUMNS)} FROM reading_blocks
        WHERE machine_id = ANY(:machines) AND day = :day
    ) AS b USING (machine_id, measured_at)"""  # noqa: S608
)
DROP_ROWS = text(f"DELETE FROM readings AS r WHERE {OF_DAY}")  # noqa: S608


class Packed(NamedTuple):
    """What a round did."""

    readings: int
    machine_days: int
    skipped: int
    partitions_dropped: list[str]


def pack(
    engine: Engine,
    now: datetime,
    older_than: timedelta,
    progress: Callable[[date, int], None] = lambda day, readings: None,
    stop: Callable[[], bool] = lambda: False,
) -> Packed:
    """Pack every day that ended `older_than` ago, or until `stop` says so.

    `progress` hears of each day done and the readings so far.
    """
    until = datetime.combine((now - older_than).astimezone(UTC).date(), datetime.min.time(), UTC)
    readings, machine_days, skipped = 0, 0, 0
    for day, machines in _days(engine, until):
        ensure_partitions(engine, [month_of(day)], "reading_blocks")
        for group in _groups(machines):
            if stop():
                return Packed(readings, machine_days, skipped, [])
            packed = _pack_slot(engine, group, day, now - QUIET)
            readings, machine_days = readings + packed.readings, machine_days + packed.machine_days
            skipped += packed.skipped
        progress(day, readings)
    return Packed(readings, machine_days, skipped, give_back(engine, until))


def _days(engine: Engine, until: datetime) -> Iterator[tuple[date, list[int]]]:
    """Days with unpacked readings and their machines; the same day may come again with others."""
    with session_scope(engine) as session:
        since = dict.fromkeys(session.scalars(text("SELECT id FROM machines")), datetime.min.replace(tzinfo=UTC))
    while since:
        with session_scope(engine) as session:
            asked = {"machines": list(since), "since": list(since.values()), "until": until}
            found: list[MachineDay] = [(machine, day) for machine, day in session.execute(NEXT_DAYS, asked)]
        by_day = defaultdict(list)
        for machine, day in found:
            by_day[day].append(machine)
        yield from sorted(by_day.items())
        since = {machine: _start(day) + timedelta(days=1) for machine, day in found}


def _groups(machines: list[int]) -> Iterator[list[int]]:
    """Machines that share a slot."""
    by_slot = defaultdict(list)
    for machine in sorted(machines):
        by_slot[machine % SLOTS].append(machine)
    yield from by_slot.values()


def _pack_slot(engine: Engine, machines: list[int], day: date, quiet_since: datetime) -> Packed:
    """So many machines a transaction as ROWS_AT_ONCE allows."""
    with session_scope(engine) as session:
        asked = _asked(machines, day) | {"quiet_since": quiet_since}
        found = session.execute(QUIET_MACHINES, asked).all()
    sizes = {machine: n * BYTES_A_ROW + int(extra) for machine, n, extra in found}
    for machine, size in sizes.items():
        if size > MOST_BYTES_A_BLOCK:
            log.warning("not packed: too large", day=day.isoformat(), machine_id=machine, bytes=size)
    counts = {machine: n for machine, n, _ in found if sizes[machine] <= MOST_BYTES_A_BLOCK}
    packed = [machine for group in _transactions(counts) for machine in _pack_or_skip(engine, group, day)]
    return Packed(sum(counts[machine] for machine in packed), len(packed), len(found) - len(packed), [])


def _transactions(counts: Mapping[int, int]) -> Iterator[list[int]]:
    together: list[int] = []
    for machine, n in counts.items():
        if together and sum(counts[each] for each in together) + n > ROWS_AT_ONCE:
            yield together
            together = []
        together.append(machine)
    if together:
        yield together


def _pack_or_skip(engine: Engine, machines: list[int], day: date) -> list[int]:
    """Those packed. One machine's day that cannot be packed holds back no other."""
    try:
        _pack_together(engine, machines, day)
    except (Conflict, DBAPIError) as error:
        if isinstance(error, DBAPIError) and not _of_the_data(error):
            raise
        if len(machines) > 1:
            return [machine for each in machines for machine in _pack_or_skip(engine, [each], day)]
        reason = str(error.orig if isinstance(error, DBAPIError) else error)
        log.warning("not packed", day=day.isoformat(), machine_id=machines[0], reason=reason)
        return []
    return machines


def _of_the_data(error: DBAPIError) -> bool:
    return str(getattr(error.orig, "sqlstate", None)).startswith(OF_THE_DATA)


def _pack_together(engine: Engine, machines: list[int], day: date) -> None:
    with session_scope(engine) as session:
        session.execute(LOCK_SLOT, {"class": LOCK_CLASS, "slot": machines[0] % SLOTS})
        already = session.execute(PACKED_ALREADY, {"machines": machines, "day": day})
        unpack(session.connection(), [(machine, of) for machine, of in already])
        _pack_verified(session, _asked(machines, day))


def _pack_verified(session: Session, asked: dict[str, object]) -> None:
    """Rows go only where the block says the same to the last bit. Raises Conflict, and then nothing changes."""
    session.execute(PACK, asked)
    same, compared = session.execute(SAME, asked).one()
    dropped = session.connection().execute(DROP_ROWS, asked).rowcount
    if not same == compared == dropped:
        raise Conflict(
            f"Packing {asked['day']}: {compared} readings, {same} equal in the block, {dropped} removed."
        )


def _asked(machines: list[int], day: date) -> dict[str, object]:
    return {"machines": machines, "day": day, "start": _start(day), "end": _start(day) + timedelta(days=1)}


def _start(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)
