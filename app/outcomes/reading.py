"""From stored revisions to what the API and the page say of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.outcomes import store
from app.outcomes.schemas import (
    OutcomeGroupOut,
    OutcomeHistoryOut,
    OutcomeOut,
    OutcomesOut,
    OutcomeSummaryOut,
    OutcomeSumsOut,
    RevisionOut,
    ShareOut,
)
from app.outcomes.shares import share
from app.outcomes.store import Kept, OutcomeFilter

OF_MACHINE = ("name", "site", "line")
AS_COUNTED = (
    *("hit", "found_in_time", "false", "missed", "found", "unknown", "open"),
    *("lead_time_hours_median", "other_currency", *store.MONEY),
)


def outcomes_out(session: Session, wanted: OutcomeFilter, limit: int, offset: int) -> OutcomesOut:
    kept, total = store.list_outcomes(session, wanted, limit, offset)
    return OutcomesOut(outcomes=[outcome_out(each) for each in kept], total=total)


def outcome_out(kept: Kept) -> OutcomeOut:
    return OutcomeOut(
        machine=kept.machine.key,
        model_kind=kept.model_kind,
        **{name: getattr(kept.machine, name) for name in OF_MACHINE},
        **vars(RevisionOut.model_validate(kept.revision)),
    )


def history_out(session: Session, outcome_id: int) -> OutcomeHistoryOut:
    """Raises NotFound."""
    kept = store.outcome_history(session, outcome_id)
    return OutcomeHistoryOut(machine=kept[0].machine.key, revisions=_revisions(kept))


def histories_out(session: Session, outcome_ids: Collection[int]) -> dict[int, list[RevisionOut]]:
    """By the id of one of its revisions how an entry came about."""
    return {each: _revisions(kept) for each, kept in store.histories(session, outcome_ids).items()}


def _revisions(kept: Iterable[Kept]) -> list[RevisionOut]:
    return [RevisionOut.model_validate(each.revision) for each in kept]


def summary_out(session: Session, wanted: OutcomeFilter, currency: str) -> OutcomeSummaryOut:
    whole, *groups = store.sums(session, wanted, currency)
    return OutcomeSummaryOut(
        whole=OutcomeSumsOut(**_sums(whole)),
        groups=[
            OutcomeGroupOut(model_id=row.model_id, model_kind=row.kind, asset_class=row.asset_class, **_sums(row))
            for row in groups
        ],
        currency=currency,
    )


def _sums(row: Row[Any]) -> dict[str, Any]:
    counted = row._mapping
    hits, false, missed = (counted[name] for name in ("hit", "false", "missed"))
    caught = hits - counted["found_in_time"]
    return {
        **{name: counted[name] for name in AS_COUNTED},
        "net": counted["saved"] - counted["spent"],
        "precision": ShareOut.model_validate(share(hits, hits + false)),
        "recall": ShareOut.model_validate(share(caught, caught + missed)),
    }
