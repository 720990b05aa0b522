"""New readings into PostgreSQL from the event loop: a transaction is one message, one COPY, and one wait.

No other thread takes the interpreter meanwhile, and nothing is asked that the answer does not need. What may be
there already goes the way of store.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from select import POLLIN, poll

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.database import Bind
from app.ingest.new_rows import PREPARED, Transaction
from app.ingest.store import ADD

# The server asks for the rows within a tenth of this. A turn of a busy loop takes longer, and both would wait: a
# quarter more readings a second at 1,000 a request without that.
MILLISECONDS_TO_ASK = 1
# Beyond this the server is on another host, and waiting for it would keep all others waiting.
NEAR_SECONDS = 0.001
GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


Done = Callable[[Exception | None], None]


class Appender:
    """A connection of the pool, kept, and read by the event loop that appends; one transaction at a time."""

    def __init__(self, bind: Bind) -> None:
        # A Connection, as tests have it, is in a transaction of its own, which only its owner may end.
        self._engine = bind if isinstance(bind, Engine) else None
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = -1
        self._asks = poll()
        self._is_near = False
        self._done: Done | None = None
        self._rows = b""
        self._error: psycopg.Error | None = None

    @property
    def usable(self) -> bool:
        return self._engine is not None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def is_free(self) -> bool:
        """Open, with nothing under way, and not lost since it was last used."""
        if self._connection is not None and self._done is None and self._asks.poll(0):
            self._on_readable()
        return self._connection is not None and self._done is None

    async def open(self) -> None:
        """Where it is not open. Raises what SQLAlchemy raises where there is no connection to be had."""
        if self._connection is None:
            connection = await asyncio.to_thread(self._connect)
            self._connection, self._loop = connection, asyncio.get_running_loop()
            # Once the connection is lost it does not tell any more.
            self._socket = self._pg.socket
            self._asks = poll()
            self._asks.register(self._socket, POLLIN)
            # Not in the context of the request that came first: its name would be on every line of the log.
            Context().run(self._loop.add_reader, self._socket, self._on_readable)

    def append(self, given: Transaction, done: Done) -> None:
        """On an open connection. `done` is called after the commit, or with what SQLAlchemy would raise."""
        self._rows, self._error, self._done = given.rows, None, done
        try:
            self._pg.send_query(given.statements)
            self._flush()
        except psycopg.Error as error:
            self._break(error)
        else:
            if self._is_near and self._asks.poll(MILLISECONDS_TO_ASK):
                self._on_readable()

    def close(self) -> None:
        """The connection ends; it has prepared statements, so nobody else shall have it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        connection.invalidate()
        connection.close()

    @property
    def _pg(self) -> pq.abc.PGconn:
        assert self._connection is not None
        return _pg(self._connection)

    def _connect(self) -> Connection:
        assert self._engine is not None
        connection = self._engine.connect()
        try:
            for statement in PREPARED:
                connection.exec_driver_sql(statement)
            self._is_near = min(_round_trip(connection) for _ in range(3)) < NEAR_SECONDS
            connection.commit()
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection

    def _on_readable(self) -> None:
        """Also where nothing was asked: a server that goes away says so.

        Until there is nothing more to read: of a connection that ended uvloop tells once only, and what the server
        said last would hide that it is gone.
        """
        while self._connection is not None:
            try:
                self._pg.consume_input()
                self._take_results()
            except psycopg.Error as error:
                self._break(self._error or error)
            if self._connection is None or not self._asks.poll(0):
                return

    def _take_results(self) -> None:
        while self._connection is not None and not self._pg.is_busy():
            result = self._pg.get_result()
            if result is None:
                self._finish()
                return
            self._take(result)

    def _take(self, result: pq.abc.PGresult) -> None:
        if result.status == pq.ExecStatus.COPY_IN:
            self._pg.put_copy_data(self._rows)
            self._pg.put_copy_end()
            self._rows = b""
            self._flush()
        elif result.status not in GOOD and self._error is None:
            self._error = error_from_result(result)

    def _flush(self) -> None:
        """What the socket does not take at once goes when there is room."""
        assert self._loop is not None
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._on_writable)

    def _on_writable(self) -> None:
        assert self._loop is not None
        try:
            if not self._pg.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._break(error)

    def _finish(self) -> None:
        """The server is ready for the next message: what was asked is committed, or failed whole."""
        if self._pg.status != pq.ConnStatus.OK:
            self._break(self._error or psycopg.OperationalError("the connection is lost"))
        else:
            self._tell(self._error and self._as_sqlalchemy(self._error, lost=False))

    def _break(self, error: psycopg.Error) -> None:
        self.close()
        self._tell(self._as_sqlalchemy(error, lost=True))

    def _tell(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(error)

    def _as_sqlalchemy(self, error: psycopg.Error, *, lost: bool) -> Exception:
        assert self._engine is not None
        made: Exception = DBAPIError.instance(
            ADD,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=self._engine.dialect,
        )
        return made


def _round_trip(connection: Connection) -> float:
    began = time.perf_counter()
    _pg(connection).exec_(b"SELECT 1")
    return time.perf_counter() - began


def _pg(connection: Connection) -> pq.abc.PGconn:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.pgconn
