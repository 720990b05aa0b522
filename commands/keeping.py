"""Commands about what is kept how long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.database import session_scope
from app.ingest.retention import Expired, expired, retire
from app.security.audit import COMMAND_LINE
from commands.console import database, out

app = typer.Typer()


@app.command()
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Drop what the WEARWATCH_KEEP_* settings let go; the worker does the same once an hour.

    Example: `WEARWATCH_KEEP_READINGS=365d wearwatch retention --dry-run`
    """
    now = datetime.now(UTC)
    with database() as (engine, settings):
        if dry_run:
            with session_scope(engine) as session:
                _show("would go", expired(session, settings, now))
        else:
            _show("dropped", list(retire(engine, settings, now, COMMAND_LINE)))


def _show(verb: str, found: list[Expired]) -> None:
    for each in found:
        name = each.partition.name if each.partition else each.table
        out.print(f"{verb}: {each.what}, {name}: about {each.rows:,} rows before {each.before:%Y-%m-%d %H:%M} UTC")
    if not found:
        out.print("Nothing has expired.")
