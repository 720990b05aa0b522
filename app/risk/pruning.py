"""What becomes of old models: cards stay for ever, the heavy parts of those that nobody would ask again go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ScalarSelect, delete, func, or_, select
from sqlalchemy.orm import Session

from app.risk import model_store
from app.risk.store import champion
from app.risk.tables import Model, ModelArtefact, ServingStint
from app.security.store import add_audit_entry

# A model that served may be asked what it had said, and gone back to.
KEPT_AFTER_SERVING = timedelta(days=365)


class Pruned(NamedTuple):
    model: int
    kind: str
    run: str
    bytes: int


def prune(session: Session, runs_kept: int, now: datetime, actor: str) -> list[Pruned]:
    """Drop the parts of models of older runs than the newest `runs_kept`, but for those that serve or may again.

    Kept whole: the champion, its shadow, the model a rollback goes to, and all that served within the last year.
    """
    model_store.lock_promotion(session)
    lately = or_(ServingStint.ended_at.is_(None), ServingStint.ended_at >= now - KEPT_AFTER_SERVING)
    unused = ~Model.stints.any(lately)
    current = champion(session)
    before = model_store.served_before(session, current) if current else None
    old = session.scalars(
        select(Model)
        .where(Model.pruned_at.is_(None), Model.status.in_(("candidate", "retired")), unused)
        .where(Model.run.not_in(_newest_runs(runs_kept)), Model.id != (before.id if before else 0))
        .order_by(Model.id)
    ).all()
    return [_drop_parts(session, model, now, actor) for model in old]


def _newest_runs(count: int) -> ScalarSelect[str]:
    return select(Model.run).group_by(Model.run).order_by(func.max(Model.id).desc()).limit(count).scalar_subquery()


def _drop_parts(session: Session, model: Model, now: datetime, actor: str) -> Pruned:
    own = ModelArtefact.model_id == model.id
    size = session.scalar(select(func.coalesce(func.sum(func.length(ModelArtefact.content)), 0)).where(own)) or 0
    session.execute(delete(ModelArtefact).where(own))
    model.pruned_at = now
    add_audit_entry(session, actor, "drop model parts", f"model {model.id}", {"bytes": size})
    return Pruned(model.id, model.kind, model.run, size)
