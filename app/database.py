"""The database: engine, sessions and the base of every table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import Depends, Request
from sqlalchemy import URL, Connection, DateTime, Engine, MetaData, create_engine, make_url
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session

from app.embedded import start_embedded
from app.errors import BadInput
from app.settings import Settings

# Names of constraints must be the same on every host, or a later migration cannot find them.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
CONNECT_TIMEOUT_SECONDS = 5
# A server restarts within less; then the first transaction fails, and its sender is told to try again.
TRUSTED_SECONDS = 1.0
POOL_SIZE = 10
# A server that is gone without a word (power, cable, firewall) would otherwise be waited for a quarter of an hour.
LIVENESS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, object]: JSONB,
        dict[str, float]: JSONB,
        list[dict[str, object]]: JSONB,
    }


def database_url(settings: Settings) -> URL:
    """The server to use; starts the embedded one where the settings name none."""
    if settings.database_url is None:
        return start_embedded(settings.data_dir)
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError as error:
        raise BadInput("DATABASE_URL is not a database address like postgresql://user@host/name.") from error
    if url.get_backend_name() != "postgresql":
        raise BadInput(f"DATABASE_URL names {url.get_backend_name()}; Wearwatch needs PostgreSQL.")
    return url.set(drivername="postgresql+psycopg")


def make_engine(url: URL) -> Engine:
    """An engine whose sessions speak UTC and whose commits are on disk before they return."""
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        # An error's text goes into the log; a statement's values hold password hashes and tokens of sessions.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            **LIVENESS,
            # Compiling a query costs more than our short ones take; stale statistics can trigger it.
            "options": "-c timezone=UTC -c synchronous_commit=on -c jit=off",
        },
    )


# A Connection stands in for the Engine in tests, so that each test is rolled back whole.
Bind = Engine | Connection


@contextmanager
def session_scope(bind: Bind) -> Iterator[Session]:
    """One session, committed at the end or rolled back: the only place that commits."""
    with (
        Session(bind, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
        session.begin(),
    ):
        yield session


class KeptConnection:
    """One connection for one thread's many short transactions, without asking each time whether it still stands."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._kept: Connection | None = None
        self._used_at = 0.0
        self._known: object = None

    def has_changed(self) -> bool:
        """Whether it is another one than when this was last asked: the database may be another one too."""
        if isinstance(self._bind, Connection):
            return False
        before, self._known = self._known, self._standing(self._bind).connection.driver_connection
        return self._known is not before

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end or rolled back; after an error the next one gets a connection of its own."""
        if isinstance(self._bind, Connection):
            with self._bind.begin_nested():
                yield self._bind
            return
        connection = self._standing(self._bind)
        try:
            with connection.begin():
                yield connection
        except BaseException:
            self.close()
            raise
        self._used_at = time.monotonic()

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _standing(self, engine: Engine) -> Connection:
        """The same as long as it stands, which is asked after a pause: another may lead to another database."""
        kept = self._kept
        if kept is not None and time.monotonic() - self._used_at > TRUSTED_SECONDS and not _answers(engine, kept):
            kept.invalidate()
            self.close()
        if self._kept is None:
            self._kept = engine.connect()
        return self._kept


def _answers(engine: Engine, connection: Connection) -> bool:
    driver = connection.connection.dbapi_connection
    try:
        return driver is not None and engine.dialect.do_ping(driver)
    except engine.dialect.loaded_dbapi.Error:
        return False


async def get_bind(request: Request) -> Bind:
    """The database of this application; create_app put it there."""
    bind: Bind = request.app.state.bind
    return bind


BindDep = Annotated[Bind, Depends(get_bind)]


def get_session(bind: BindDep) -> Iterator[Session]:
    with session_scope(bind) as session:
        yield session


# scope="function": the commit happens before the answer is sent, so a failed commit is never a 200.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
