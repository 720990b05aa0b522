"""Backup and restore: the whole database in one file that knows whether it is whole."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError
from sqlalchemy import URL, Engine, text

from app.database import database_url, make_engine
from app.errors import BadInput, Conflict
from app.migrate import current_revision, known_revisions, migrate
from app.postgres_programs import copy_hashed, dump, load
from app.settings import Settings

MANIFEST, DUMP = "manifest.json", "database.dump"
FORMAT = 1
# What makes a database more than freshly migrated.
FILLED_TABLES = ("machines", "users", "api_keys", "models")
ASIDE = "before_restore"
PUT_BACK = ("DROP SCHEMA IF EXISTS public CASCADE", f"ALTER SCHEMA {ASIDE} RENAME TO public")


class Manifest(BaseModel):
    """What a backup holds, and how to know that it is whole."""

    format: int
    made_at: datetime
    revision: str
    postgres: str
    sha256: str
    bytes: int


def backup(settings: Settings, path: Path) -> Manifest:
    """Write `path`, which appears only when it is complete; the service may go on."""
    url = database_url(settings)
    revision, postgres = _versions(url)
    part = path.with_name(path.name + ".part")
    try:
        with _private(part) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(DUMP, "w", force_zip64=True) as target:
                sha256, size = dump(url, target)
            manifest = Manifest(
                format=FORMAT,
                made_at=datetime.now(UTC),
                revision=revision,
                postgres=postgres,
                sha256=sha256,
                bytes=size,
            )
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        _flush(part)
        part.replace(path)
    except OSError as error:
        raise BadInput(f"The backup {path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def restore(settings: Settings, path: Path, *, replace: bool = False) -> Manifest:
    """Bring a backup back. Raises BadInput for a damaged file, Conflict for a database that is in use or filled.

    The present tables are put aside and dropped only when the backup is in, so a failure loses nothing.
    """
    with _opened(path) as archive:
        manifest = check(archive, path)
        url = database_url(settings)
        engine = make_engine(url)
        try:
            _undo_killed_restore(engine)
            _refuse_to_overwrite(engine, replace)
            with _aside(engine), archive.open(DUMP) as source:
                load(url, source)
            migrate(engine)
        finally:
            engine.dispose()
    return manifest


def check(archive: zipfile.ZipFile, path: Path) -> Manifest:
    """Read every byte once and compare; a backup of a newer Wearwatch is refused as well."""
    damaged = f"The backup {path} is damaged; nothing was restored."
    try:
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
        with archive.open(DUMP) as source:
            sha256, size = copy_hashed(source, None)
    except (zipfile.BadZipFile, ValidationError, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(damaged) from error
    if (sha256, size) != (manifest.sha256, manifest.bytes):
        raise BadInput(damaged)
    if manifest.format > FORMAT or manifest.revision not in known_revisions():
        raise BadInput(f"The backup {path} was made by a newer Wearwatch; update first.")
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise BadInput(f"The backup {path} cannot be read: {error.strerror}.") from error
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path} is not a Wearwatch backup, or damaged; nothing was restored.") from error


def _versions(url: URL) -> tuple[str, str]:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            revision = current_revision(connection)
            postgres = str(connection.scalar(text("SHOW server_version")))
    finally:
        engine.dispose()
    if revision is None:
        raise Conflict("The database holds no tables of Wearwatch; there is nothing to back up.")
    return revision, postgres


def _refuse_to_overwrite(engine: Engine, replace: bool) -> None:
    with engine.connect() as connection:
        others = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        if others:
            raise Conflict("The database is in use; stop the service and the worker first.")
        for table in () if replace else FILLED_TABLES:
            exists = connection.scalar(text("SELECT to_regclass(:table)"), {"table": f"public.{table}"})
            if exists and connection.scalar(text(f"SELECT EXISTS (SELECT FROM public.{table})")):  # noqa: S608
                raise Conflict("The database is not empty; choose an empty one, or allow replacing it.")


@contextmanager
def _aside(engine: Engine) -> Iterator[None]:
    """An empty schema to restore into; the old one comes back when that fails."""
    _run(engine, f"ALTER SCHEMA public RENAME TO {ASIDE}", "CREATE SCHEMA public")
    try:
        yield
    except BaseException:
        _run(engine, *PUT_BACK)
        raise
    _run(engine, f"DROP SCHEMA {ASIDE} CASCADE")


def _undo_killed_restore(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": ASIDE})
    if found is not None:
        _run(engine, *PUT_BACK)


def _run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    # pg_restore connects by itself; idle connections of ours would only hold locks and places.
    engine.dispose()


def _private(path: Path) -> IO[bytes]:
    """For this user's eyes only: it holds hashes of passwords."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
