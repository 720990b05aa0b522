"""Which model serves: promotion and the way back, each one transaction with its line in the audit log."""

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
    if not unproven and not model.card.get("beats_baselines"):
        raise Conflict(f"Model {model_id} is not promoted: {_verdict(model)} Promote it as unproven to insist.")
    model_store.make_champion(session, model, current, now)
    return _serve(session, principal, "promote model", model, current)


def roll_back(session: Session, principal: Principal | None) -> Model:
    """Let the model before the champion serve again; `promoted_at` stays, so that twice goes back two models."""
    model_store.lock_promotion(session)
    current = store.champion(session)
    before = model_store.served_before(session, current) if current else None
    if before is None:
        raise Conflict("There is no earlier model to go back to.")
    model_store.make_champion(session, before, current, before.promoted_at)
    return _serve(session, principal, "roll back model", before, current)


def _serve(
    session: Session, principal: Principal | None, action: str, model: Model, current: Model | None
) -> Model:
    store.serve_predictions_of(session, model.id)
    audit(session, principal, action, f"model {model.id}", {"served_before": current.id if current else None})
    announce(session, "risk")
    return model


def _verdict(model: Model) -> str:
    return str(model.card.get("verdict") or "Its card does not say that it beats the baselines.")
