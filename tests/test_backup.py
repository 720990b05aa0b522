"""A backup holds everything, knows when it is damaged, and never overwrites by accident."""

from __future__ import annotations

import zipfile

import pytest
from sqlalchemy import make_url, text

from app.backup import ASIDE, backup, restore
from app.database import make_engine
from app.errors import BadInput, Conflict, Unavailable
from app.postgres_programs import _address
from app.settings import Settings

FILL = """
INSERT INTO machines (key, name, configured)
SELECT 'm-' || i, 'Müller''s "press" ' || i, true FROM generate_series(1, 50) i;
INSERT INTO events (machine_id, kind, code, started_at)
SELECT id, 'failure', 'VIB', timestamptz '2026-01-01' + id * interval '1 hour' FROM machines;
INSERT INTO audit_log (actor, action, subject, detail) VALUES ('t', 'test', '☃', '{"a": [1.5, null]}');
"""
DIGEST = """
SELECT (SELECT md5(string_agg(m::text, '|' ORDER BY m.id)) FROM machines m),
       (SELECT md5(string_agg(e::text, '|' ORDER BY e.id)) FROM events e),
       (SELECT md5(string_agg(a::text, '|' ORDER BY a.id)) FROM audit_log a)
"""


def settings_for(engine) -> Settings:
    return Settings(DATABASE_URL=engine.url.render_as_string(hide_password=False))


def digest(engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return tuple(connection.execute(text(DIGEST)).one())


@pytest.fixture
def filled(engine):
    with engine.begin() as connection:
        connection.execute(text(FILL))
    return engine


@pytest.fixture
def empty(server):
    """A database without a single table."""
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE wearwatch_test_restore TEMPLATE template0"))
    engine = make_engine(server.url.set(database="wearwatch_test_restore"))
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE wearwatch_test_restore WITH (FORCE)"))


@pytest.fixture
def saved(filled, tmp_path):
    path = tmp_path / "wearwatch.backup"
    backup(settings_for(filled), path)
    return path


def test_everything_comes_back_equal_in_an_empty_database(filled, saved, empty):
    restore(settings_for(empty), saved)
    assert digest(empty) == digest(filled)
    with empty.begin() as connection:
        connection.execute(text("INSERT INTO machines (key, configured) VALUES ('after', true)"))


def test_a_backup_is_for_its_owner_only_and_leaves_no_part_behind(saved):
    assert saved.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in saved.parent.iterdir() if path.is_file()] == ["wearwatch.backup"]


def test_a_database_with_data_is_refused_unless_it_may_be_replaced(filled, saved):
    before = digest(filled)
    with filled.begin() as connection:
        connection.execute(text("INSERT INTO machines (key, configured) VALUES ('after', true)"))
    filled.dispose()
    with pytest.raises(Conflict, match="not empty"):
        restore(settings_for(filled), saved)
    restore(settings_for(filled), saved, replace=True)
    assert digest(filled) == before


def test_a_database_in_use_is_refused(saved, empty):
    with empty.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(Conflict, match="in use"):
            restore(settings_for(empty), saved)


def damage(path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
def test_a_flipped_bit_is_noticed_and_nothing_is_touched(saved, empty, share):
    damage(saved, int(saved.stat().st_size * share))
    with pytest.raises(BadInput, match="damaged"):
        restore(settings_for(empty), saved)
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0


def test_a_cut_file_and_a_foreign_file_are_noticed(saved, empty, tmp_path):
    saved.write_bytes(saved.read_bytes()[:-1000])
    foreign = tmp_path / "photo.zip"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("photo.txt", "x")
    for path in (saved, foreign):
        with pytest.raises(BadInput, match="damaged"):
            restore(settings_for(empty), path)
    with pytest.raises(BadInput, match="cannot be read"):
        restore(settings_for(empty), tmp_path / "nowhere")


def test_a_backup_of_a_newer_version_is_refused(saved, empty, tmp_path):
    newer = tmp_path / "newer.backup"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(
                name, content.replace(b'"revision": "', b'"revision": "x') if name.endswith("json") else content
            )
    with pytest.raises(BadInput, match="newer"):
        restore(settings_for(empty), newer)


def test_a_restore_that_fails_half_way_leaves_the_old_tables(filled, saved, monkeypatch):
    before = digest(filled)
    filled.dispose()

    def fails(url, source):
        raise Unavailable("pg_restore failed: disk full")

    monkeypatch.setattr("app.backup.load", fails)
    with pytest.raises(Unavailable):
        restore(settings_for(filled), saved, replace=True)
    assert digest(filled) == before


def test_a_killed_restore_is_undone_by_the_next_one(filled, saved):
    before = digest(filled)
    with filled.begin() as connection:
        connection.execute(text(f"ALTER SCHEMA public RENAME TO {ASIDE}"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("CREATE TABLE public.half (id int)"))
    filled.dispose()
    with pytest.raises(Conflict, match="not empty"):
        restore(settings_for(filled), saved)
    assert digest(filled) == before


def test_an_unwritable_place_is_one_sentence_and_leaves_no_part_behind(filled, tmp_path):
    with pytest.raises(BadInput, match="cannot be written"):
        backup(settings_for(filled), tmp_path / "missing" / "file")


def test_the_password_is_never_part_of_the_address():
    for url in (
        "postgresql+psycopg://me:hush@host:5/db?sslmode=require",
        "postgresql+psycopg://me@h/db?password=hush",
    ):
        address, password = _address(make_url(url))
        assert password == "hush"
        assert "hush" not in address
    assert address.startswith("postgresql://me@h/db")
