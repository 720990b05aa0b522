"""What a plan has to keep to: crews, windows, lines, parts, set-ups, and what services need."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, Identity, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Crew(Base):
    """`hours`: by weekday, on the wall clock of `time_zone`."""

    __tablename__ = "crews"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    site: Mapped[str | None] = mapped_column(Text)
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text))
    hours: Mapped[dict[str, object]]
    time_zone: Mapped[str] = mapped_column(Text)


class ProductionWindow(Base):
    """When lines may stand; all of them where it names none."""

    __tablename__ = "production_windows"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    lines: Mapped[list[str]] = mapped_column(ARRAY(Text))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    loss_share: Mapped[float]


class LineLimit(Base):
    """How many machines of a line may be down at once, and whether outside its windows."""

    __tablename__ = "line_limits"

    line: Mapped[str] = mapped_column(Text, primary_key=True)
    most_down: Mapped[int | None]
    outside_windows: Mapped[bool | None]


class Part(Base):
    __tablename__ = "parts"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    stock: Mapped[int]
    lead_time_days: Mapped[float]


class Setup(Base):
    """Paid once for all services in a window that need it."""

    __tablename__ = "setups"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    cost: Mapped[float]


class ServiceNeed(Base):
    """What a service of an asset class needs and its machines cost; null: of all classes that are not named."""

    __tablename__ = "service_needs"
    __table_args__ = (UniqueConstraint("asset_class", postgresql_nulls_not_distinct=True),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    asset_class: Mapped[str | None] = mapped_column(Text)
    hours: Mapped[float]
    skill: Mapped[str | None] = mapped_column(Text)
    parts: Mapped[dict[str, object]]
    setup: Mapped[str | None] = mapped_column(Text)
    repair_hours: Mapped[float | None]
    preventive_cost: Mapped[float | None]
    failure_cost: Mapped[float | None]
    downtime_cost_per_hour: Mapped[float | None]
