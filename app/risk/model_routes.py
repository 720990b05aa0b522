"""`/api/v1/models`: trained models with their cards, and which of them serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.clock import NowDep
from app.database import SessionDep
from app.errors import NotFound
from app.risk import actions, model_store
from app.risk.model_search import ModelSearch
from app.risk.schemas import ModelCardOut, ModelOut, ModelReportOut, ModelsOut
from app.security.policy import PrincipalDep, Role, allow

router = APIRouter(tags=["models"])

ModelId = Annotated[int, Path(ge=1, le=model_store.LARGEST_ID)]
Unproven = Annotated[bool, Query(description="Promote even if the card does not say that it beats the baselines")]


@router.get("/models", dependencies=[allow(Role.OPERATOR)])
def list_models(session: SessionDep, search: Annotated[ModelSearch, Query()]) -> ModelsOut:
    """Newest first unless sorted; with a metric, only models whose card states it at the horizon."""
    models, total = model_store.list_models(session, search)
    return ModelsOut(models=[ModelOut.model_validate(model) for model in models], total=total)


@router.post("/models/rollback", dependencies=[allow(Role.ADMIN)])
def roll_back(session: SessionDep, principal: PrincipalDep, now: NowDep) -> ModelOut:
    """Let the model before the champion serve again; 409 where there is none."""
    return ModelOut.model_validate(actions.roll_back(session, principal, now))


@router.delete("/models/shadow", status_code=204, dependencies=[allow(Role.ADMIN)])
def end_shadow(session: SessionDep, principal: PrincipalDep) -> None:
    """Score no model beside the champion any more."""
    actions.shadow(session, principal, None)


@router.get("/models/{model_id}", dependencies=[allow(Role.OPERATOR)])
def get_model(session: SessionDep, model_id: ModelId) -> ModelCardOut:
    return ModelCardOut.model_validate(model_store.model_by_id(session, model_id))


@router.get("/models/{model_id}/drift", dependencies=[allow(Role.OPERATOR)])
def get_report(session: SessionDep, model_id: ModelId) -> ModelReportOut:
    """Whether the plant still looks like what the model learnt from, and what came true of what it said."""
    model = model_store.model_by_id(session, model_id)
    report = model_store.newest_report(session, model.id)
    if report is None:
        raise NotFound(f"Model {model_id} was not looked at yet: the worker does it every night for the champion.")
    told = {name: getattr(report, name) for name in ("model_id", "as_of", "made_at", "asks_for_training")}
    return ModelReportOut.model_validate(told | report.body)


@router.post("/models/{model_id}/promote", dependencies=[allow(Role.ADMIN)])
def promote(
    session: SessionDep, principal: PrincipalDep, now: NowDep, model_id: ModelId, unproven: Unproven = False
) -> ModelOut:
    """Let this model serve; 409 where it does not beat the baselines, unless promoted as unproven."""
    return ModelOut.model_validate(actions.promote(session, principal, model_id, now, unproven=unproven))


@router.post("/models/{model_id}/shadow", dependencies=[allow(Role.ADMIN)])
def shadow(session: SessionDep, principal: PrincipalDep, model_id: ModelId) -> ModelOut:
    """Score this model beside the champion without serving it, instead of the shadow before it."""
    return ModelOut.model_validate(actions.shadow(session, principal, model_id))
