"""What every command shares: the database, the terminal, progress bars and times as people write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from app.database import database_url, make_engine
from app.migrate import migrate
from app.progress import Show
from app.settings import Settings, get_settings

out = Console()
err = Console(stderr=True)


def parse_time(text: str) -> datetime:
    """`2026-11-20`, `2026-11-20T08:00` or with a zone; without one it is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time like 2026-11-20T08:00:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


TimeOption = Annotated[datetime | None, typer.Option(parser=parse_time, metavar="TIME")]
ModelOption = Annotated[int | None, typer.Option(help="Number of a model; the champion without it.")]


@contextmanager
def database() -> Iterator[tuple[Engine, Settings]]:
    """A migrated database."""
    settings = get_settings()
    engine = make_engine(database_url(settings))
    migrate(engine)
    try:
        yield engine, settings
    finally:
        engine.dispose()


@contextmanager
def progress(first: str) -> Iterator[Show]:
    """A bar on the terminal; yields a function that takes the share done and a word on what is being done."""
    columns = (TextColumn("{task.description:<38}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(first, total=1.0)

        def show(share: float, doing: str = "") -> None:
            bar.update(task, completed=share, description=doing or first)

        yield show
        bar.update(task, completed=1.0)
