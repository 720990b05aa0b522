"""Runs the migrations: one at a time over all hosts, never waiting long for a lock that stops the service."""

from __future__ import annotations

import re

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

import app.fleet.tables
import app.ingest.arrival_tables
import app.ingest.quality_tables
import app.ingest.tables
import app.jobs.tables
import app.orders.tables
import app.outcomes.tables
import app.planning.resource_tables
import app.planning.tables
import app.risk.tables
import app.security.tables
import app.webhooks.tables  # noqa: F401  (each import registers its tables)
from app.database import Base, database_url
from app.settings import get_settings

ADVISORY_LOCK = 7_392_841_337
LOCK_TIMEOUT = "10s"
NOT_OURS = re.compile(r"procrastinate_|readings_\d|readings_p|reading_blocks_\d|alembic_version")


def ours(thing: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Leave the job queue's tables and the partitions of `readings` and `reading_blocks` alone."""
    table = getattr(thing, "table", None)
    names = [name or "", table.name if table is not None else ""]
    return not any(NOT_OURS.match(each) for each in names)


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, include_object=ours, compare_type=True)
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = create_engine(database_url(get_settings()), poolclass=pool.NullPool)
    with engine.connect() as connection:
        run(connection)
