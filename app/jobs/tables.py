"""What the queue's own tables do not keep: why a training failed, and what came out of what-ifs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class TrainingFailure(Base):
    """The last failure of a train job; the queue names only that it failed."""

    __tablename__ = "training_failures"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    failed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reason: Mapped[str] = mapped_column(Text)


class WhatIf(Base):
    """The worker's answer to a what-if, or the sentence why there is none."""

    __tablename__ = "what_ifs"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    answered_at: Mapped[datetime] = mapped_column(server_default=func.now())
    answer: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    fault: Mapped[str | None] = mapped_column(Text)
