"""Commands that bring data in and out: import, simulate, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.backup import backup as write_backup
from app.backup import restore as read_backup
from app.fleet.importing import import_events as events_in
from app.fleet.importing import import_machines as machines_in
from app.ingest.importing import import_readings as readings_in
from app.ingest.rollup import roll_up_all
from app.settings import get_settings
from commands.console import database, out, progress

if TYPE_CHECKING:
    from app.csv_file import ImportReport

app = typer.Typer()
imports = typer.Typer(no_args_is_help=True, help="Load machines, readings or events from CSV files.")
app.add_typer(imports, name="import")

CsvFile = Annotated[Path, typer.Argument(metavar="FILE.csv")]


def _show(report: ImportReport) -> None:
    out.print(
        f"{report.read:,} rows read: {report.added:,} new, {report.already_there:,} already there, "
        f"{report.rejected:,} refused."
    )
    if report.rejected:
        out.print(f"The refused rows stand with line number and reason in {report.report_path}.")


@imports.command("machines")
def import_machines(file: CsvFile) -> None:
    """Load machines; a known key is updated.

    Example: `wearwatch import machines machines.csv`
    """
    with database() as (engine, _), progress("machines") as show:
        report = machines_in(engine, file, show)
    _show(report)


@imports.command("events")
def import_events(file: CsvFile) -> None:
    """Load failures, services and fault codes: what models learn from.

    Example: `wearwatch import events events.csv`
    """
    with database() as (engine, _), progress("events") as show:
        report = events_in(engine, file, show)
    _show(report)


@imports.command("readings")
def import_readings(file: CsvFile) -> None:
    """Load readings; rows already stored are skipped, so a broken run is simply started again.

    Example: `wearwatch import readings readings.csv`
    """
    with database() as (engine, settings):
        with progress("readings") as show:
            report = readings_in(engine, settings, file, show)
        with progress("roll-ups") as show:
            roll_up_all(engine, settings, show)
    _show(report)


@app.command()
def backup(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Write the whole database into one file; the service may go on.

    Example: `wearwatch backup wearwatch-2026-11-21.backup`
    """
    with database() as (_, settings):
        write_backup(settings, file)
    out.print(f"Backup written to {file}.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    replace: Annotated[bool, typer.Option("--replace", help="Even over a database that holds data.")] = False,
) -> None:
    """Bring a backup back into an empty database; a damaged file is refused.

    Example: `wearwatch restore wearwatch-2026-11-21.backup`
    """
    read_backup(get_settings(), file, replace=replace)
    out.print(f"Restored from {file}.")
