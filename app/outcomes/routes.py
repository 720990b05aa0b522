"""`/api/v1/outcomes`: what became of warnings; operators read, nobody writes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.database import SessionDep
from app.fleet.routes import Limit, Offset
from app.orders.table_file import csv_table
from app.outcomes import reading, store
from app.outcomes.outcome_filter import FilterDep
from app.outcomes.schemas import OutcomeHistoryOut, OutcomeOut, OutcomesOut, OutcomeSummaryOut
from app.security.policy import Role, allow
from app.settings import SettingsDep

router = APIRouter(prefix="/api/v1", tags=["outcomes"], dependencies=[allow(Role.OPERATOR)])

# A table that a spreadsheet opens at once.
MOST_ROWS = 10_000
CSV = "text/csv"

OutcomeId = Annotated[int, Path(ge=1, le=store.LARGEST_ID)]


@router.get("/outcomes")
def list_outcomes(session: SessionDep, wanted: FilterDep, limit: Limit = 100, offset: Offset = 0) -> OutcomesOut:
    """Hits, false warnings, missed failures, and what is open or cannot be known; the newest revision of each."""
    return reading.outcomes_out(session, wanted, limit, offset)


@router.get("/outcomes/summary")
def summarise(session: SessionDep, settings: SettingsDep, wanted: FilterDep) -> OutcomeSummaryOut:
    """Counts, precision and recall, lead time and money, by model and asset class."""
    return reading.summary_out(session, wanted, settings.currency)


@router.get(
    "/outcomes.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def read_table(
    session: SessionDep,
    wanted: FilterDep,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
    offset: Offset = 0,
) -> Response:
    """One row an outcome; a text that a spreadsheet would compute begins with a quote."""
    listed = reading.outcomes_out(session, wanted, limit, offset).outcomes
    table = csv_table(OutcomeOut.model_fields, (each.model_dump(mode="json").values() for each in listed))
    return Response(table, media_type=CSV, headers={"Content-Disposition": 'attachment; filename="outcomes.csv"'})


@router.get("/outcomes/{outcome_id}")
def get_outcome(session: SessionDep, outcome_id: OutcomeId) -> OutcomeHistoryOut:
    """How an outcome came about: every revision with when and why."""
    return reading.history_out(session, outcome_id)
