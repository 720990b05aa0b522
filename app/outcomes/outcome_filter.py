"""Which outcomes are asked for, as addresses say it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from app.errors import BadInput
from app.moment import EARLIEST, LATEST, Moment
from app.outcomes.judging import Outcome
from app.outcomes.store import OutcomeFilter
from app.risk.model_store import LARGEST_ID
from app.text import Name


def outcome_filter(
    outcome: Annotated[
        list[Outcome], Query(description="May be given several times; withdrawn ones only where named")
    ] = [],  # noqa: B006
    machine: Name | None = None,
    site: Name | None = None,
    line: Name | None = None,
    asset_class: Name | None = None,
    model: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    since: Annotated[Moment, Query(alias="from", description="Begun then or later")] = EARLIEST,
    until: Annotated[Moment, Query(alias="to", description="Begun before then")] = LATEST,
) -> OutcomeFilter:
    if until <= since:
        raise BadInput("to: must lie after from.")
    return OutcomeFilter(tuple(outcome), machine, site, line, asset_class, model, since, until)


FilterDep = Annotated[OutcomeFilter, Depends(outcome_filter)]
