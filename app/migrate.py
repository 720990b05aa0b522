"""Bring the database to this version's tables; safe to call from several processes at once.

Alembic is imported only where there is something to change: it would weigh 8 MiB in every service process.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

import migrations

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(migrations.__file__).parent
STEP = re.compile(r'^(revision|down_revision) = "([^"]+)"$', re.MULTILINE)


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    return config


@lru_cache(maxsize=1)
def known_revisions() -> dict[str, str | None]:
    """Every revision of this version -> the one before it."""
    steps = (dict(STEP.findall(path.read_text(encoding="utf-8"))) for path in (FOLDER / "versions").glob("*.py"))
    return {step["revision"]: step.get("down_revision") for step in steps}


def newest_revision() -> str:
    known = known_revisions()
    [newest] = known.keys() - known.values()
    return newest


def current_revision(connection: Connection) -> str | None:
    """What the database has; None for one without tables of ours."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def migrate(engine: Engine) -> None:
    """Upgrade to the newest tables inside one transaction."""
    with engine.connect() as connection:
        if current_revision(connection) == newest_revision():
            return
        from alembic import command

        config = alembic_config()
        config.attributes["connection"] = connection
        connection.rollback()
        command.upgrade(config, "head")
        connection.commit()
