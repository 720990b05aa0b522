"""The steps of models' life, there and back, lose no model and leave each a state that the version knows."""

from __future__ import annotations

from alembic import command
from factories import HORIZONS_HOURS, at
from migrating import moved
from sqlalchemy import select, text

from app.database import session_scope
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
        models = session.scalars(select(Model).order_by(Model.id)).all()
        known = [(model.status, [stint.ended_at for stint in model.stints]) for model in models]
    assert known == [
        ("candidate", []),
        ("candidate", []),
        ("retired", [at("2026-11-02 00:00")]),
        ("champion", [None]),
    ]


def day(number):
    return at(f"2026-11-{number:02} 00:00")


# Name -> status, promoted_at, served_until of the version before, and the stints of this one.
KNOWN = {
    "never": ("candidate", None, None, []),
    "at one moment": ("shadow", 3, 3, [(3, 3)]),
    "by a clock that was behind": ("retired", 4, 3, [(4, 4)]),
    "gone back to twice": ("champion", 5, None, [(5, 6), (12, None)]),
    "gone back to once": ("retired", 6, 12, [(6, 7), (11, 12)]),
    "between": ("retired", 7, 11, [(7, 11)]),
}


def test_the_step_to_stints_takes_over_what_was_known_of_who_served(engine):
    moved(engine, command.downgrade, "20261128_11")
    with engine.begin() as connection:
        for name, (status, promoted, until, _) in KNOWN.items():
            times = {"promoted": promoted and day(promoted), "until": until and day(until)}
            connection.execute(text(OF_BEFORE), {"name": name, "status": status, **times})
    moved(engine, command.upgrade, "head")
    with session_scope(engine) as session:
        told = {
            model.run: [(stint.started_at, stint.ended_at) for stint in model.stints]
            for model in session.scalars(select(Model))
        }
    assert told == {
        name: [(day(start), end and day(end)) for start, end in stints] for name, (*_, stints) in KNOWN.items()
    }
    moved(engine, command.downgrade, "20261128_11")
    with engine.connect() as connection:
        until = dict(connection.execute(text("SELECT run, served_until FROM models")).all())
    assert until.pop("by a clock that was behind") == day(4)
    assert until == {name: KNOWN[name][2] and day(KNOWN[name][2]) for name in until}
    moved(engine, command.upgrade, "head")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(DISTINCT model_id) FROM serving_stints")) == len(KNOWN) - 1


OF_BEFORE = """
    INSERT INTO models (kind, status, run, trained_until, promoted_at, served_until, bucket_seconds, horizons_hours,
        modes, card, manifest)
    VALUES ('lstm', :status, :name, '2026-11-01', :promoted, :until, 3600, '{24}', '{}', '{}', '{}')
"""
