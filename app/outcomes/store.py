"""SQL for the ledger: adding revisions, and reading what counts now, one by one and summed up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, insert, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.fleet.tables import Machine
from app.moment import EARLIEST, LATEST
from app.outcomes.judging import Outcome
from app.outcomes.life import Reason
from app.outcomes.tables import OutcomeMark, OutcomeRevision
from app.risk.tables import Model

# One worker at a time; the number only has to be ours.
LEDGER_LOCK = 7_227_002
LARGEST_ID = 2**63 - 1
MONEY = ("saved", "spent", "lost")
GROUPS: ColumnElement[Any] = literal_column(
    "GROUPING SETS ((), (outcomes.model_id, models.kind, outcomes.asset_class))"
)

Columns = Select[*tuple[Any, ...]]


class Kept(NamedTuple):
    """A revision with its machine and, where one had spoken, the kind of its model."""

    revision: OutcomeRevision
    machine: Machine
    model_kind: str | None


@dataclass(frozen=True)
class OutcomeFilter:
    """What is not named lets everything through, but for entries that were withdrawn."""

    outcomes: Sequence[Outcome] = ()
    machine: str | None = None
    site: str | None = None
    line: str | None = None
    asset_class: str | None = None
    model: int | None = None
    since: datetime = EARLIEST
    until: datetime = LATEST


def lock_ledger(session: Session) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LEDGER_LOCK})


def undecided(session: Session, ids: Collection[int]) -> set[int]:
    """Machines with an entry that time alone may decide."""
    waits = or_(OutcomeRevision.outcome == Outcome.OPEN, OutcomeRevision.reason == Reason.STOPPED)
    return set(
        session.scalars(
            select(OutcomeRevision.machine_id).where(OutcomeRevision.machine_id.in_(ids), waits, _newest())
        )
    )


def add_revisions(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(insert(OutcomeRevision), rows)


def mark(session: Session, told: Mapping[int, str], looked_until: datetime) -> None:
    rows = [{"machine_id": each, "told": word, "looked_until": looked_until} for each, word in told.items()]
    add = upsert(OutcomeMark)
    changed = {"told": add.excluded.told, "looked_until": add.excluded.looked_until}
    if rows:
        session.execute(add.on_conflict_do_update(index_elements=["machine_id"], set_=changed), rows)


def _newest() -> ColumnElement[bool]:
    later = aliased(OutcomeRevision)
    return ~select(later.id).where(_same_entry(later), later.revision > OutcomeRevision.revision).exists()


def _same_entry(other: type[OutcomeRevision]) -> ColumnElement[bool]:
    return and_(
        other.machine_id == OutcomeRevision.machine_id,
        other.subject == OutcomeRevision.subject,
        other.at == OutcomeRevision.at,
    )


def list_outcomes(session: Session, wanted: OutcomeFilter, limit: int, offset: int) -> tuple[list[Kept], int]:
    """Newest first by their begin; the newest revision of each."""
    found = _found(_kept(), wanted)
    total = session.scalar(select(func.count()).select_from(found.with_only_columns(OutcomeRevision.id).subquery()))
    order = (OutcomeRevision.at.desc(), OutcomeRevision.id.desc())
    return [Kept(*row) for row in session.execute(found.order_by(*order).limit(limit).offset(offset))], total or 0


def outcome_history(session: Session, outcome_id: int) -> list[Kept]:
    """All revisions of the entry that this one belongs to, the oldest first. Raises NotFound."""
    found = histories(session, [outcome_id])
    if not found:
        raise NotFound(f"There is no outcome {outcome_id}.")
    return found[outcome_id]


def histories(session: Session, outcome_ids: Collection[int]) -> dict[int, list[Kept]]:
    """By the id of one of its revisions all of an entry, the oldest first."""
    asked = aliased(OutcomeRevision)
    query = _kept().add_columns(asked.id).join(asked, _same_entry(asked)).where(asked.id.in_(outcome_ids))
    by_id: dict[int, list[Kept]] = {}
    for *kept, outcome_id in session.execute(query.order_by(OutcomeRevision.revision)):
        by_id.setdefault(outcome_id, []).append(Kept(*kept))
    return by_id


def _kept() -> Columns:
    return _joined(select(OutcomeRevision, Machine, Model.kind))


def _joined(query: Columns) -> Columns:
    joined = query.join(Machine, Machine.id == OutcomeRevision.machine_id)
    return joined.outerjoin(Model, Model.id == OutcomeRevision.model_id)


def _found(query: Columns, wanted: OutcomeFilter) -> Columns:
    named = {
        Machine.key: wanted.machine,
        Machine.site: wanted.site,
        Machine.line: wanted.line,
        OutcomeRevision.asset_class: wanted.asset_class,
        OutcomeRevision.model_id: wanted.model,
    }
    outcomes = wanted.outcomes or [each for each in Outcome if each is not Outcome.WITHDRAWN]
    return query.where(
        _newest(),
        OutcomeRevision.outcome.in_(outcomes),
        OutcomeRevision.at >= wanted.since,
        OutcomeRevision.at < wanted.until,
        *(column == value for column, value in named.items() if value is not None),
    )


def choices(session: Session) -> Sequence[Row[Any]]:
    """The models, with their kinds, and the asset classes of which there are entries; the newest model first."""
    columns = OutcomeRevision.model_id, Model.kind, OutcomeRevision.asset_class
    query = _joined(select(*columns)).distinct()
    return session.execute(query.order_by(OutcomeRevision.model_id.desc().nulls_last())).all()


def sums(session: Session, wanted: OutcomeFilter, currency: str) -> Sequence[Row[Any]]:
    """One row of all (`whole`), then one for each model and asset class, the newest model first.

    Money of another currency is not added; `other_currency` entries have one.
    """
    revision, told = OutcomeRevision, OutcomeRevision.outcome
    counts = [func.count().filter(told == each).label(each) for each in Outcome]
    found_in_time = func.count().filter(revision.reason == Reason.FAULT_FOUND).label("found_in_time")
    median = func.percentile_cont(0.5).within_group(revision.lead_time_hours).label("lead_time_hours_median")
    own = revision.currency == currency
    money = [func.coalesce(func.sum(getattr(revision, name)).filter(own), 0.0).label(name) for name in MONEY]
    other = func.count().filter(~own).label("other_currency")
    whole = (func.grouping(revision.model_id, revision.asset_class) == 3).label("whole")
    by = (revision.model_id, Model.kind, revision.asset_class)
    query = _found(_joined(select(whole, *by, *counts, found_in_time, median, other, *money)), wanted)
    order = (whole.desc(), revision.model_id.desc().nulls_last(), revision.asset_class.asc().nulls_last())
    return session.execute(query.group_by(GROUPS).order_by(*order)).all()
