"""`/api/v1/models`: trained models with their cards, and which of them serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.clock import NowDep
from app.database import SessionDep
from app.fleet.routes import Limit, Offset
from app.risk import actions, model_store
from app.risk.schemas import ModelCardOut, ModelOut, ModelsOut
from app.security.policy import PrincipalDep, Role, allow

router = APIRouter(tags=["models"])

ModelId = Annotated[int, Path(ge=1, le=model_store.LARGEST_ID)]
Unproven = Annotated[bool, Query(description="Promote even if the card does not say that it beats the baselines")]


@router.get("/models", dependencies=[allow(Role.OPERATOR)])
def list_models(session: SessionDep, limit: Limit = 100, offset: Offset = 0) -> ModelsOut:
    models, total = model_store.list_models(session, limit, offset)
    return ModelsOut(models=[ModelOut.model_validate(model) for model in models], total=total)


@router.post("/models/rollback", dependencies=[allow(Role.ADMIN)])
def roll_back(session: SessionDep, principal: PrincipalDep) -> ModelOut:
    """Let the model before the champion serve again; 409 where there is none."""
    return ModelOut.model_validate(actions.roll_back(session, principal))


@router.get("/models/{model_id}", dependencies=[allow(Role.OPERATOR)])
def get_model(session: SessionDep, model_id: ModelId) -> ModelCardOut:
    return ModelCardOut.model_validate(model_store.model_by_id(session, model_id))


@router.post("/models/{model_id}/promote", dependencies=[allow(Role.ADMIN)])
def promote(
    session: SessionDep, principal: PrincipalDep, now: NowDep, model_id: ModelId, unproven: Unproven = False
) -> ModelOut:
    """Let this model serve; 409 where it does not beat the baselines, unless promoted as unproven."""
    return ModelOut.model_validate(actions.promote(session, principal, model_id, now, unproven=unproven))
