"""SQL for models: the list, one by its id, and who serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session, aliased, defer, selectinload

from app.errors import NotFound
from app.risk.model_search import ModelSearch, models_found
from app.risk.tables import Model, ModelReport, ServingStint

# One promotion at a time over all processes; the number only has to be ours.
PROMOTION_LOCK = 7_227_001
LARGEST_ID = 2**31 - 1


def list_models(session: Session, search: ModelSearch) -> tuple[Sequence[Model], int]:
    """A page of those searched for, without their manifests, and how many there are in all."""
    found = models_found(session, search)
    total = (
        session.scalar(
            select(func.count()).select_from(found.with_only_columns(Model.id).order_by(None).subquery())
        )
        or 0
    )
    loaded = found.options(defer(Model.manifest), selectinload(Model.stints))
    return session.scalars(loaded.limit(search.limit).offset(search.offset)).all(), total


def kinds(session: Session) -> Sequence[str]:
    return session.scalars(select(Model.kind).distinct().order_by(Model.kind)).all()


def model_by_id(session: Session, model_id: int) -> Model:
    model = session.get(Model, model_id) if 0 < model_id <= LARGEST_ID else None
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


def models_by_id(session: Session, ids: Collection[int]) -> Sequence[Model]:
    """The newest first."""
    return session.scalars(select(Model).where(Model.id.in_(ids)).order_by(Model.id.desc())).all()


def newest_report(session: Session, model_id: int) -> ModelReport | None:
    """How the model stands, as last looked at."""
    of_model = select(ModelReport).where(ModelReport.model_id == model_id)
    return session.scalar(of_model.order_by(ModelReport.id.desc()).limit(1))


def lock_promotion(session: Session) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PROMOTION_LOCK})


def served_before(session: Session, champion: Model) -> Model | None:
    """The model that served last before this one, was not gone back from, and can still be asked."""
    earlier = (Model.id != champion.id, Model.promoted_at < champion.promoted_at, Model.pruned_at.is_(None))
    query = select(Model).where(*earlier, ~_gone_back_from()).order_by(Model.promoted_at.desc()).limit(1)
    return session.scalar(query)


def _gone_back_from() -> ColumnElement[bool]:
    """Since it was promoted last, its place was taken by a model promoted before."""
    ended, followed, follower = aliased(ServingStint), aliased(ServingStint), aliased(Model)
    return (
        select(ended.id)
        .join(followed, followed.started_at == ended.ended_at)
        .join(follower, follower.id == followed.model_id)
        .where(ended.model_id == Model.id, ended.ended_at > Model.promoted_at)
        .where(follower.promoted_at < Model.promoted_at)
        .correlate(Model)
        .exists()
    )


def make_champion(
    session: Session, model: Model, current: Model | None, promoted_at: datetime | None, now: datetime
) -> None:
    """Two flushes, because at no moment may two models be champion."""
    if current is not None:
        current.status = "retired"
        # Another host's clock may be behind the one that the stint began by.
        ended_at = func.greatest(ServingStint.started_at, now)
        session.execute(update(ServingStint).where(ServingStint.ended_at.is_(None)).values(ended_at=ended_at))
        session.flush()
    model.status, model.promoted_at = "champion", promoted_at
    model.stints.append(ServingStint(started_at=now))
    session.flush()


def shadow(session: Session) -> Model | None:
    return session.scalar(select(Model).where(Model.status == "shadow"))


def make_shadow(session: Session, model: Model | None, current: Model | None) -> None:
    """Who is the shadow no longer is again what it was before."""
    if current is not None:
        current.status = "candidate" if current.promoted_at is None else "retired"
        session.flush()
    if model is not None:
        model.status = "shadow"
        session.flush()
