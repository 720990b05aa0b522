"""What is doubtful about stored readings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class ReadingFlag(Base):
    """One doubt about one channel in one bucket: how many readings, and the first of them as an example.

    `before` is the value before it where the doubt is about a change.
    """

    __tablename__ = "reading_flags"
    __table_args__ = (Index("ix_reading_flags_bucket_start", "bucket_start"),)

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket_start: Mapped[datetime] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    n: Mapped[int]
    first_at: Mapped[datetime]
    value: Mapped[float]
    before: Mapped[float | None]
