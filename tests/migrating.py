"""Another version's tables in a test's own database."""

from __future__ import annotations

from collections.abc import Callable

from alembic.config import Config
from sqlalchemy import Engine

from app.migrate import alembic_config


def moved(engine: Engine, step: Callable[[Config, str], None], revision: str) -> None:
    """`moved(engine, command.downgrade, "20261121_02")`."""
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
        connection.commit()
