"""Readings as they came, what was refused or contradicted, and the roll-ups charts and learning read."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, DateTime, Double, ForeignKey, Identity, Index, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

# The four named channels, in the order of their ids; the migration inserts them. Every other channel is `extra`.
CORE_CHANNELS = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")


class Channel(Base):
    """A channel's short number, so that a roll-up row does not repeat its name."""

    __tablename__ = "channels"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=False, start=100), primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)


class Reading(Base):
    """What one machine showed at one time. Partitioned by `measured_at`; see partitions.py.

    Old ones lie in `reading_blocks`: whoever reads takes `every_reading` or `readings_between(machine, from, to)`.
    """

    __tablename__ = "readings"
    __table_args__ = ({"postgresql_partition_by": "RANGE (measured_at)"},)

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    measured_at: Mapped[datetime] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    temperature_c: Mapped[float | None]
    vibration_mm_s: Mapped[float | None]
    current_a: Mapped[float | None]
    runtime_hours: Mapped[float | None]
    extra: Mapped[dict[str, float] | None] = mapped_column(JSONB)


class ReadingBlock(Base):
    """A machine's readings of one day (UTC) in the order of time; see packing.py. A channel nobody sent is NULL."""

    __tablename__ = "reading_blocks"
    __table_args__ = ({"postgresql_partition_by": "RANGE (day)"},)

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    n: Mapped[int]
    measured_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    received_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    temperature_c: Mapped[list[float | None] | None] = mapped_column(ARRAY(Double))
    vibration_mm_s: Mapped[list[float | None] | None] = mapped_column(ARRAY(Double))
    current_a: Mapped[list[float | None] | None] = mapped_column(ARRAY(Double))
    runtime_hours: Mapped[list[float | None] | None] = mapped_column(ARRAY(Double))
    extra: Mapped[list[dict[str, float] | None] | None] = mapped_column(ARRAY(JSONB))


class LatestReading(Base):
    """Each machine's newest reading as of the last roll-up; latest.py looks whether a newer one came since."""

    __tablename__ = "latest_readings"

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    measured_at: Mapped[datetime]
    temperature_c: Mapped[float | None]
    vibration_mm_s: Mapped[float | None]
    current_a: Mapped[float | None]
    runtime_hours: Mapped[float | None]
    extra: Mapped[dict[str, float] | None] = mapped_column(JSONB)


class KeptFrom(Base):
    """From when on the data of one kind are whole: what lay before was dropped by retention."""

    __tablename__ = "kept_from"

    what: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime]


class ReadingConflict(Base):
    """A second, different value for a channel that already had one: the first stays, this one is kept here."""

    __tablename__ = "reading_conflicts"
    __table_args__ = (
        Index("ix_reading_conflicts_machine_id", "machine_id", "id"),
        Index("ix_reading_conflicts_sender", "sender", "id"),
        Index("ix_reading_conflicts_received_at", "received_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    measured_at: Mapped[datetime]
    channel: Mapped[str] = mapped_column(Text)
    stored_value: Mapped[float]
    refused_value: Mapped[float]
    sender: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RejectedReading(Base):
    """A row that was refused, as it came (cut to a bounded length), with the reason."""

    __tablename__ = "rejected_readings"
    __table_args__ = (
        Index("ix_rejected_readings_received_at", "received_at"),
        Index("ix_rejected_readings_machine", "machine", "id"),
        Index("ix_rejected_readings_sender", "sender", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine: Mapped[str | None] = mapped_column(Text)
    field: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TouchedBucket(Base):
    """A bucket whose readings changed since its roll-up. Append-only, so that senders never wait for each other."""

    __tablename__ = "touched_buckets"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine_id: Mapped[int]
    bucket_start: Mapped[datetime]


class Rollup(Base):
    """One channel of one machine in one bucket, [bucket_start, + width); exact under late data."""

    __tablename__ = "rollups"

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    bucket_start: Mapped[datetime] = mapped_column(primary_key=True)
    n: Mapped[int]
    mean: Mapped[float]
    min: Mapped[float]
    max: Mapped[float]
    std: Mapped[float]
    last: Mapped[float]


class RollupMinutes(Base):
    """The minutes of one channel in a bucket dense with readings, packed: a chart of a day reads a hundred rows.

    Each column is one array as PostgreSQL sends its numbers: `minute`, counted from 1970, and `n` are int4, the
    others float8; so the row of a dense hour just fits a quarter of a page, beyond which it would lie elsewhere.
    """

    __tablename__ = "rollup_minutes"

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket_start: Mapped[datetime] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    minute: Mapped[bytes]
    n: Mapped[bytes]
    mean: Mapped[bytes]
    min: Mapped[bytes]
    max: Mapped[bytes]


class RollupChange(Base):
    """Roll-ups of a machine from `since` on were written; kept for a day, for readers that know the rest already.

    Written by one worker at a time: who has seen a number has seen all below it.
    """

    __tablename__ = "rollup_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine_id: Mapped[int]
    since: Mapped[datetime]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RollupState(Base):
    """One row: the bucket width the roll-ups were made with, so that a changed setting rebuilds them.

    `changes` counts how often roll-ups of finished buckets changed; `scored_*` is what scoring saw last.
    """

    __tablename__ = "rollup_state"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    bucket_seconds: Mapped[int]
    changes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    open_rolled_up_at: Mapped[datetime | None]
    scored_changes: Mapped[int | None] = mapped_column(BigInteger)
    scored_events: Mapped[int | None] = mapped_column(BigInteger)
