"""Models with their cards and artefacts, and the predictions they made."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base

ModelStatus = Literal["champion", "shadow", "candidate", "retired"]


class Model(Base):
    """A trained model. At most one is champion, whose predictions are served, and one its shadow, scored beside it.

    `promoted_at`: when it was last promoted, which a rollback does not change; `pruned_at`: when its parts were
    dropped and the record alone stayed.
    """

    __tablename__ = "models"
    __table_args__ = (
        CheckConstraint("status in ('candidate', 'shadow', 'champion', 'retired')", name="status"),
        Index("uq_models_champion", "status", unique=True, postgresql_where=text("status = 'champion'")),
        Index("uq_models_shadow", "status", unique=True, postgresql_where=text("status = 'shadow'")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[ModelStatus] = mapped_column(Text, default="candidate")
    run: Mapped[str] = mapped_column(Text)
    trained_until: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    promoted_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]
    bucket_seconds: Mapped[int]
    horizons_hours: Mapped[list[float]] = mapped_column(ARRAY(Double))
    modes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    card: Mapped[dict[str, object]] = mapped_column(JSONB)
    manifest: Mapped[dict[str, object]] = mapped_column(JSONB)
    stints: Mapped[list[ServingStint]] = relationship(order_by="ServingStint.id")

    @property
    def state(self) -> str:
        """Its status in words for people; of a pruned model the status no longer matters."""
        return "record only" if self.pruned_at else self.status


class ServingStint(Base):
    """A time in which a model served; without `ended_at` it still does. The database lets it end once."""

    __tablename__ = "serving_stints"
    __table_args__ = (
        CheckConstraint("ended_at >= started_at", name="order"),
        Index(
            "uq_serving_stints_open",
            "ended_at",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ModelArtefact(Base):
    """One named part of a model; its SHA-256 stands in the signed manifest."""

    __tablename__ = "model_artefacts"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[bytes]


class ModelReport(Base):
    """How a model stands at one time: whether what it sees still looks like what it learnt from, and what came true
    of what it said; `body` is ml.jobs.monitor's.
    """

    __tablename__ = "model_reports"
    __table_args__ = (Index("ix_model_reports_model_id", "model_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    as_of: Mapped[datetime]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    asks_for_training: Mapped[bool]
    body: Mapped[dict[str, object]] = mapped_column(JSONB)


class Prediction(Base):
    """What one model said of one machine at one time; the arrays run along `horizons_hours`."""

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("machine_id", "as_of", "model_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    as_of: Mapped[datetime]
    scored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    horizons_hours: Mapped[list[float]] = mapped_column(ARRAY(Double))
    probabilities: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    probabilities_low: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    probabilities_high: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    modes: Mapped[dict[str, object]] = mapped_column(JSONB, default=dict)
    remaining_life_low_hours: Mapped[float | None]
    remaining_life_median_hours: Mapped[float | None]
    remaining_life_high_hours: Mapped[float | None]
    anomaly_score: Mapped[float | None]
    coverage: Mapped[float]
    reasons: Mapped[list[dict[str, object]]] = mapped_column(JSONB, default=list)
    not_enough_data: Mapped[str | None] = mapped_column(Text)


class LatestPrediction(Base):
    """The prediction that is served for a machine; moved forward by the score job only."""

    __tablename__ = "latest_predictions"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    prediction_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("predictions.id"))
