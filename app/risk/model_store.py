"""SQL for models: the list, one by its id, and who serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.risk.tables import Model

# One promotion at a time over all processes; the number only has to be ours.
PROMOTION_LOCK = 7_227_001
LARGEST_ID = 2**31 - 1


def list_models(session: Session, limit: int, offset: int) -> tuple[Sequence[Model], int]:
    """Newest first."""
    total = session.scalar(select(func.count()).select_from(Model)) or 0
    return session.scalars(select(Model).order_by(Model.id.desc()).limit(limit).offset(offset)).all(), total


def model_by_id(session: Session, model_id: int) -> Model:
    model = session.get(Model, model_id) if 0 < model_id <= LARGEST_ID else None
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


def lock_promotion(session: Session) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PROMOTION_LOCK})


def served_before(session: Session, champion: Model) -> Model | None:
    """The model that served last before this one."""
    earlier = Model.promoted_at < champion.promoted_at
    return session.scalar(
        select(Model).where(Model.id != champion.id, earlier).order_by(Model.promoted_at.desc()).limit(1)
    )


def make_champion(session: Session, model: Model, current: Model | None, promoted_at: datetime | None) -> None:
    """Two flushes, because at no moment may two models be champion."""
    if current is not None:
        current.status = "retired"
        session.flush()
    model.status = "champion"
    model.promoted_at = promoted_at
    session.flush()
