"""Finding models by their records: what was trained when, from which data, by which code, and how well it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import ARRAY, ColumnElement, Double, Select, Text, case, cast, func, literal, select, true
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.orm import Session

from app.duration import parse_duration
from app.errors import BadInput
from app.fleet.routes import LAST_OFFSET, MOST_PER_PAGE
from app.moment import EARLIEST, LATEST, Moment
from app.risk.curve import hours_text
from app.risk.tables import Model, ModelStatus
from app.text import Name

Metric = Literal["pr_auc", "roc_auc", "brier", "ece", "precision", "recall", "f1"]
METRICS: tuple[str, ...] = get_args(Metric)
COLUMNS: dict[str, Any] = {
    "id": Model.id,
    "standing": case({"champion": 0, "shadow": 1, "candidate": 2}, value=Model.status, else_=3),
    "kind": Model.kind,
    "created_at": Model.created_at,
    "trained_until": Model.trained_until,
    "seconds": cast(Model.card["seconds"].astext, Double),
}
SORTS = (*COLUMNS, *METRICS)

Bound = Annotated[float | None, Field(allow_inf_nan=False)]


class ModelSearch(BaseModel):
    """What is not named lets everything through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Name | None = None
    status: ModelStatus | None = None
    run: Name | None = None
    since: Moment = Field(EARLIEST, alias="from", description="Trained until this time or later")
    until: Moment = Field(LATEST, alias="to", description="Trained until a time before this one")
    data_hash: Name | None = Field(None, description="The hash of the data learnt from, or its beginning")
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    code_version: Name | None = Field(None, description="The version of the code, or its beginning")
    metric: Metric | None = Field(None, description="A figure of merit that the card must state")
    horizon: str = Field("7d", max_length=40, description="Horizon of the metric")
    at_least: Bound = Field(None, description="Floor of the metric")
    at_most: Bound = Field(None, description="Ceiling of the metric")
    sort: str = Field("-id", description=f"One of {', '.join(SORTS)}; with `-` before it the largest first")
    limit: int = Field(100, ge=1, le=MOST_PER_PAGE)
    offset: int = Field(0, ge=0, le=LAST_OFFSET)

    @field_validator("sort")
    @classmethod
    def _known(cls, sort: str) -> str:
        if sort.removeprefix("-") not in SORTS:
            raise ValueError(f"must be one of {', '.join(SORTS)}, with - before it for the largest first")
        return sort

    @property
    def horizon_hours(self) -> float:
        return parse_duration(self.horizon).total_seconds() / 3600


def models_found(session: Session, search: ModelSearch) -> Select[Any]:
    """The models searched for, in their order. Raises BadInput where the question makes no sense."""
    _refuse_senseless(session, search)
    name = search.sort.removeprefix("-")
    place = _figure(name, search.horizon_hours) if name in METRICS else COLUMNS[name]
    order = place.desc() if search.sort.startswith("-") else place.asc()
    return select(Model).where(*_conditions(search)).order_by(order.nulls_last(), Model.id.desc())


def _refuse_senseless(session: Session, search: ModelSearch) -> None:
    if search.until <= search.since:
        raise BadInput("to: must lie after from.")
    if search.metric is None and (search.at_least is not None or search.at_most is not None):
        raise BadInput("metric: name the figure that at_least and at_most are bounds of.")
    if search.metric is None and search.sort.removeprefix("-") not in METRICS:
        return
    known = session.scalars(select(func.unnest(Model.horizons_hours)).distinct()).all()
    if known and search.horizon_hours not in known:
        ahead = ", ".join(map(hours_text, sorted(known)))
        raise BadInput(f"horizon: no model looks {search.horizon} ahead; they look {ahead}.")


def _conditions(search: ModelSearch) -> Iterator[ColumnElement[bool]]:
    card = Model.card
    equal = ((Model.kind, search.kind), (Model.status, search.status), (Model.run, search.run))
    yield from (column == value for column, value in equal if value is not None)
    begins = ((card["data_hash"], search.data_hash), (card["code_version"], search.code_version))
    yield from (field.astext.startswith(value, autoescape=True) for field, value in begins if value is not None)
    yield Model.trained_until >= search.since
    yield Model.trained_until < search.until
    if search.seed is not None:
        yield card["seed"].astext == str(search.seed)
    if search.metric is not None:
        figure = _figure(search.metric, search.horizon_hours)
        yield figure.is_not(None)
        yield figure >= search.at_least if search.at_least is not None else true()
        yield figure <= search.at_most if search.at_most is not None else true()


def _figure(metric: str, horizon_hours: float) -> ColumnElement[float]:
    """A figure of merit on a model's card; NULL where the card has none."""
    path = f'$.horizons[*] ? (@.hours == $hours).model.{metric} ? (@.type() == "number")'
    hours = cast({"hours": horizon_hours}, JSONB)
    value = func.jsonb_path_query_first(Model.card, cast(path, JSONPATH), hours)
    return cast(value.op("#>>")(literal([], ARRAY(Text))), Double)
