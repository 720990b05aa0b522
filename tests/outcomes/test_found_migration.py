"""The step to faults found, there and back, loses no entry."""

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


@pytest.fixture
def told(engine):
    """What a failure's entries are now."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO machines (key, configured) VALUES ('press-07', true)"))
        for revision, outcome in enumerate(["missed", "found"]):
            connection.execute(ENTRY, {"revision": revision, "outcome": outcome})
    return lambda: all_of(engine, "outcomes")


def all_of(engine, table):
    with engine.begin() as connection:
        return connection.execute(text(f"SELECT * FROM {table} ORDER BY revision")).all()


def test_back_and_forth_all_stays_as_it_was_and_is_still_refused_to_change(engine, told):
    before = told()
    moved(engine, command.downgrade, "20261128_13")
    assert told() == before[:1]
    for refused in (str(ENTRY).replace(":revision, :outcome", "7, 'found'"), "DELETE FROM outcomes"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(refused))
    moved(engine, command.upgrade, "head")
    assert told() == before
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT to_regclass('outcomes_aside')")) is None
        connection.execute(ENTRY, {"revision": 7, "outcome": "found"})
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("DELETE FROM outcomes"))


def test_what_the_version_before_revised_meanwhile_stands_and_ours_is_kept_aside_twice_over(engine, told):
    found = told()[1]
    moved(engine, command.downgrade, "20261128_13")
    with engine.begin() as connection:
        connection.execute(
            text(str(ENTRY).replace("now()", ":at")), {"revision": 1, "outcome": "unknown", "at": found.at}
        )
    moved(engine, command.upgrade, "head")
    assert [each.outcome for each in told()] == ["missed", "unknown"]
    moved(engine, command.downgrade, "20261128_13")
    moved(engine, command.upgrade, "head")
    assert all_of(engine, "outcomes_aside") == [found]
