"""Which model serves, and which is its shadow: each change one transaction with its line in the audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.announce import announce
from app.errors import Conflict
from app.risk import model_store, store
from app.risk.tables import Model
from app.security.audit import audit
from app.security.principal import Principal


def promote(
    session: Session, principal: Principal | None, model_id: int, now: datetime, *, unproven: bool = False
) -> Model:
    """Let this model serve. Raises Conflict where its card does not say that it beats the baselines.

    `unproven` promotes all the same: a plant's first model may have seen too few failures to prove itself.
    """
    model_store.lock_promotion(session)
    model, current = model_store.model_by_id(session, model_id), store.champion(session)
    if model is current:
        return model
    refuse_pruned(model)
    if not unproven and not model.card.get("beats_baselines"):
        raise Conflict(f"Model {model_id} is not promoted: {_verdict(model)} To insist, promote it as `unproven`.")
    model_store.make_champion(session, model, current, now, now)
    return _serve(session, principal, "promote model", model, current)


def roll_back(session: Session, principal: Principal | None, now: datetime) -> Model:
    """Let the model before the champion serve again; `promoted_at` stays, so that twice goes back two models."""
    model_store.lock_promotion(session)
    current = store.champion(session)
    before = model_store.served_before(session, current) if current else None
    if before is None:
        raise Conflict("There is no earlier model to go back to.")
    model_store.make_champion(session, before, current, before.promoted_at, now)
    return _serve(session, principal, "roll back model", before, current)


def shadow(session: Session, principal: Principal | None, model_id: int | None) -> Model | None:
    """Score this model beside the champion, unserved, in the place of the shadow before it; None: none any more.

    Raises Conflict for the champion: it is scored already.
    """
    model_store.lock_promotion(session)
    model = None if model_id is None else model_store.model_by_id(session, model_id)
    current = model_store.shadow(session)
    if model is current:
        return model
    if model is not None and model.status == "champion":
        raise Conflict(f"Model {model.id} serves already, and the shadow is scored beside the one that serves.")
    if model is not None:
        refuse_pruned(model)
    model_store.make_shadow(session, model, current)
    subject = "no model" if model is None else f"model {model.id}"
    audit(session, principal, "shadow model", subject, {"shadow_before": current.id if current else None})
    return model


def _serve(
    session: Session, principal: Principal | None, action: str, model: Model, current: Model | None
) -> Model:
    store.serve_predictions_of(session, model.id)
    store.score_anew(session)
    audit(session, principal, action, f"model {model.id}", {"served_before": current.id if current else None})
    announce(session, "risk")
    return model


def refuse_pruned(model: Model) -> None:
    """Raises Conflict where nothing is left of a model but its record."""
    if model.pruned_at is not None:
        raise Conflict(
            f"Model {model.id} is a record only: its parts were dropped on {model.pruned_at:%Y-%m-%d}. Train again."
        )


def _verdict(model: Model) -> str:
    return str(model.card.get("verdict") or "Its card does not say that it beats the baselines.")
