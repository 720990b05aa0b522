"""The command line: puts app and ml together. Heavy libraries are imported only by the command that needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from app.errors import BadInput, WearwatchError
from app.settings import get_settings
from commands import access, data, keeping, learning, mqtt, simulation
from commands.console import database, err, out, progress

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Wearwatch tells which motor will fail, when, why, and when to service it.",
)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
) -> None:
    """Run the service: readings in, risk and pages out.

    Example: `wearwatch serve --host 0.0.0.0 --port 8000`
    """
    from app.serving import run_service

    with database():
        run_service(get_settings(), host, port)


@app.command()
def worker() -> None:
    """Run the batch side: roll-ups, scoring, planning, training on demand.

    Example: `wearwatch worker`
    """
    from ml.jobs.queue import run_worker

    with database() as (engine, settings):
        run_worker(engine, settings)


@app.command()
def demo(
    machines: Annotated[int, typer.Option(min=5, max=2000)] = 60,
    days: Annotated[int, typer.Option(min=30, max=730)] = 120,
    seed: int = 7,
) -> None:
    """Try everything: a simulated fleet with history, trained models, the service, a worker and live sensors.

    Example: `wearwatch demo`; a second start takes up the same data. Ctrl-C stops everything.
    """
    from ml.jobs.demo import run_demo

    with database() as (engine, settings):
        run_demo(engine, settings, machines=machines, days=days, seed=seed, console=err, progress=progress)


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables.

    Example: `DATABASE_URL=postgresql://user@host/name wearwatch migrate`
    """
    with database() as (engine, _):
        out.print(f"The database {engine.url.database} is up to date.")


@app.command(hidden=True)
def docs() -> None:
    """Write the generated pages of docs/ anew.

    Example: `wearwatch docs`
    """
    from commands.pages import pages

    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        out.print(f"{path.name} written.")


for room in (data, keeping, mqtt, learning, simulation, access):
    app.add_typer(room.app)


def main() -> None:
    """Run a command; what goes wrong is one sentence and a non-zero exit."""
    try:
        app(standalone_mode=True)
    except WearwatchError as error:
        err.print(f"[red]Error:[/red] {error.detail}", highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)
    except OperationalError as error:
        err.print(
            f"[red]Error:[/red] The database does not answer: {error.orig}".strip(), highlight=False, soft_wrap=True
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
