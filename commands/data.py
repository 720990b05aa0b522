"""Commands that bring data in and out: import, simulate, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    from app.fleet import importing

    with database() as (engine, _), progress("machines") as show:
        report = importing.import_machines(engine, file, show)
    _show(report)


@imports.command("events")
def import_events(file: CsvFile) -> None:
    """Load failures, services and fault codes: what models learn from.

    Example: `wearwatch import events events.csv`
    """
    from app.fleet import importing

    with database() as (engine, _), progress("events") as show:
        report = importing.import_events(engine, file, show)
    _show(report)


@imports.command("readings")
def import_readings(file: CsvFile) -> None:
    """Load readings; rows already stored are skipped, so a broken run is simply started again.

    Example: `wearwatch import readings readings.csv`
    """
    from app.ingest.rollup import roll_up_all

    from app.ingest import importing

    with database() as (engine, settings):
        with progress("readings") as show:
            report = importing.import_readings(engine, settings, file, show)
        with progress("roll-ups") as show:
            roll_up_all(engine, settings, show)
    _show(report)


@app.command()
def backup(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Write the whole database into one file; the service may go on.

    Example: `wearwatch backup wearwatch-2026-11-21.backup`
    """
    from app.backup import backup as write

    with database() as (_, settings):
        write(settings, file)
    out.print(f"Backup written to {file}.")


@app.command()
def restore(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Bring a backup back into an empty database; a damaged file is refused.

    Example: `wearwatch restore wearwatch-2026-11-21.backup`
    """
    from app.backup import restore as read

    read(get_settings(), file)
    out.print(f"Restored from {file}.")
