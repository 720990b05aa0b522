"""Who sent what, when, and what became of it: a row a commit, folded into hours."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

# Totals of hours that are kept no longer as hours, summed up.
BEFORE = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Arrival(Base):
    """One commit: arrays side by side, an entry for each sender and machine; the worker folds and deletes it.

    `sender` and `refused_sender` are places in `senders`, from 1. An array that would hold zeros only is NULL.
    """

    __tablename__ = "arrivals"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    received_at: Mapped[datetime]
    senders: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sender: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    machine_id: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    accepted: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    duplicates: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    merged: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    conflicts: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    late: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    least_lag_s: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    largest_lag_s: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    refused_sender: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    refused_machine_id: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    refused_kind: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    refused: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))


class ArrivalTotal(Base):
    """An hour of receiving from one sender about one machine. Lags count readings that said something new."""

    __tablename__ = "arrival_totals"
    __table_args__ = (Index("ix_arrival_totals_hour", "hour"), Index("ix_arrival_totals_machine_id", "machine_id"))

    sender: Mapped[str] = mapped_column(Text, primary_key=True)
    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    accepted: Mapped[int] = mapped_column(BigInteger)
    duplicates: Mapped[int] = mapped_column(BigInteger)
    merged: Mapped[int] = mapped_column(BigInteger)
    conflicts: Mapped[int] = mapped_column(BigInteger)
    late: Mapped[int] = mapped_column(BigInteger)
    least_lag_s: Mapped[int | None]
    largest_lag_s: Mapped[int | None]
    last_received_at: Mapped[datetime]


class RefusalTotal(Base):
    """An hour of refusals of one kind; `machine_id` is 0 where the row named no known machine."""

    __tablename__ = "refusal_totals"
    __table_args__ = (Index("ix_refusal_totals_hour", "hour"), Index("ix_refusal_totals_machine_id", "machine_id"))

    sender: Mapped[str] = mapped_column(Text, primary_key=True)
    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    refused: Mapped[int] = mapped_column(BigInteger)
    last_received_at: Mapped[datetime]
