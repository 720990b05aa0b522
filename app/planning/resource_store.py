"""SQL for what a plan has to keep to: read whole, and whole lists put in the place of others."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.database import Base
from app.fleet.tables import Machine
from app.planning.resource_schemas import Resources
from app.planning.resource_tables import Crew, LineLimit, Part, ProductionWindow, ServiceNeed, Setup

# By list the table that keeps it and the columns it is read in the order of, always the same.
TABLES: dict[str, tuple[type[Base], tuple[str, ...]]] = {
    "crews": (Crew, ("key",)),
    "windows": (ProductionWindow, ("starts_at", "key")),
    "lines": (LineLimit, ("line",)),
    "parts": (Part, ("key",)),
    "setups": (Setup, ("key",)),
    "services": (ServiceNeed, ("asset_class",)),
}


def resources(session: Session) -> Resources:
    return Resources.model_validate(
        {
            name: session.scalars(select(table).order_by(*(getattr(table, each) for each in order))).all()
            for name, (table, order) in TABLES.items()
        }
    )


def replace_lists(session: Session, given: Resources) -> None:
    """Those that are named; under `lock_plan`."""
    for name in sorted(given.model_fields_set):
        table, _ = TABLES[name]
        session.execute(delete(table))
        if rows := [each.model_dump() for each in getattr(given, name)]:
            session.execute(insert(table), rows)


def known_lines(session: Session) -> set[str]:
    return set(session.scalars(select(Machine.line).where(Machine.line.is_not(None)).distinct()))
