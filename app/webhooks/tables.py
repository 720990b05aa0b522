"""Who is told, and what is still to be told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

WAITING = "delivered_at is null and given_up_at is null"


class Webhook(Base):
    """A receiver; site, line and kinds narrow what it is told, no kinds are all.

    The secrets stand here as they are, because we sign with them; nothing but the signing reads them.
    """

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    address: Mapped[str] = mapped_column(Text)
    site: Mapped[str | None] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str] = mapped_column(Text)
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None] = mapped_column(Text)
    tried_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_fault: Mapped[str | None] = mapped_column(Text)


class WebhookMessage(Base):
    """One message to one receiver, written with what it tells; `body` is sent as it stands, however often.

    Of one `subject` a later message waits for the earlier ones.
    """

    __tablename__ = "webhook_messages"
    __table_args__ = (
        Index("ix_webhook_messages_waiting", "webhook_id", "subject", "id", postgresql_where=text(WAITING)),
        Index("ix_webhook_messages_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    uid: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid(), unique=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_fault: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
