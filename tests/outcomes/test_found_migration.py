"""The step to faults found, there and back, loses no entry that the version before knows."""

from __future__ import annotations

import pytest
from alembic import command
from migrating import moved
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

ENTRY = text("""
    INSERT INTO outcomes (machine_id, subject, at, revision, outcome, reason, because, preventive_cost,
        failure_cost, saved, spent, lost, currency)
    SELECT id, 'failure', now(), :revision, :outcome, 'told', 'Told.', 0, 0, 0, 0, 0, '€' FROM machines
""")


def test_back_and_forth_what_was_missed_stays_and_is_still_refused_to_change(engine):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO machines (key, configured) VALUES ('press-07', true)"))
        for revision, outcome in enumerate(["missed", "found"]):
            connection.execute(ENTRY, {"revision": revision, "outcome": outcome})
    moved(engine, command.downgrade, "20261128_13")
    for refused in (str(ENTRY).replace(":revision, :outcome", "7, 'found'"), "DELETE FROM outcomes"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(refused))
    moved(engine, command.upgrade, "head")
    with engine.begin() as connection:
        assert connection.scalars(text("SELECT outcome FROM outcomes")).all() == ["missed"]
        connection.execute(ENTRY, {"revision": 7, "outcome": "found"})
