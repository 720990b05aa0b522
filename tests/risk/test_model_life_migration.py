"""The step to the life of models, there and back, loses no model and leaves each a state that the version knows."""

from __future__ import annotations

from alembic import command
from factories import HORIZONS_HOURS, at
from sqlalchemy import select, text

from app.database import session_scope
from app.migrate import alembic_config
from app.risk.tables import Model


def test_back_and_forth_every_model_stays_and_who_served_is_kept_for_a_year(engine):
    states = [("candidate", None), ("shadow", None), ("retired", at("2026-11-01 00:00"))]
    with session_scope(engine) as session:
        session.add_all(
            Model(
                kind="lstm",
                status=status,
                run="r1",
                trained_until=at("2026-11-01 00:00"),
                promoted_at=promoted_at,
                bucket_seconds=3600,
                horizons_hours=HORIZONS_HOURS,
                modes=[],
                card={},
                manifest={},
            )
            for status, promoted_at in [*states, ("champion", at("2026-11-02 00:00"))]
        )
    moved(engine, command.downgrade, "20261121_02")
    with engine.connect() as connection:
        told = connection.scalars(text("SELECT status FROM models ORDER BY id")).all()
    assert told == ["candidate", "candidate", "retired", "champion"]
    moved(engine, command.upgrade, "head")
    with session_scope(engine) as session:
        known = session.execute(select(Model.status, Model.served_until.is_not(None)).order_by(Model.id)).all()
    assert [tuple(row) for row in known] == [
        ("candidate", False),
        ("candidate", False),
        ("retired", True),
        ("champion", False),
    ]


def moved(engine, step, revision):
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
        connection.commit()
